/** Labels as a check meets them: each by an index, and each set of labels a row may have by another. */
import { type FileRow, labelOf, labelsOf as listedLabels, type Origin } from '../row.js';
import { excerpt } from './text.js';

/** More are no classes: all that come after are taken together. */
export const MAX_LABEL_SETS = 10_000;

export class LabelIndex {
	readonly names: string[] = [];
	/** Label indices of each set. */
	readonly sets: (readonly number[])[] = [];
	/** Whether there were more sets than are told apart. */
	overflowed = false;
	readonly #labels = new Map<string, number>();
	readonly #sets = new Map<string, number>();

	/** Index of the set of these labels. */
	setOf(labels: readonly string[]): number {
		const key = JSON.stringify(labels.length > 1 ? [...labels].sort() : labels);
		const known = this.#sets.get(key);
		if (known !== undefined) return known;
		if (this.sets.length === MAX_LABEL_SETS) {
			this.overflowed = true;
			return MAX_LABEL_SETS - 1;
		}
		this.#sets.set(key, this.sets.length);
		this.sets.push([...new Set(labels)].map((label) => this.#indexOf(label)));
		return this.sets.length - 1;
	}

	/** A set in words, for people. */
	nameOf(set: number): string {
		return excerpt((this.sets[set] ?? []).map((label) => this.names[label]).join(', '));
	}

	#indexOf(label: string): number {
		const known = this.#labels.get(label);
		if (known !== undefined) return known;
		this.#labels.set(label, this.names.length);
		this.names.push(label);
		return this.names.length - 1;
	}
}

/** The labels of a row, one or a list of them; throws the DataError a row without one is. */
export function labelsOf(row: FileRow, origin: Origin): string[] {
	return listedLabels(row, origin, undefined) ?? [labelOf(row, origin)];
}

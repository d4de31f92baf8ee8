/** What training aims at, read from the labels of the rows: a class, marks of 0 and 1, or a number. */
import { requireTwoLabels, sortedLabels, unknownLabel } from '../data/labels.js';
import type { DatasetRow, RowSource } from '../data/row.js';
import type { ProblemType } from '../model/config.js';
import { Int32List } from './int32-list.js';

/** As `RaggedBatch.labels`: Int32Array[rows] of classes, or Float32Array[rows * outputs]. */
export type Targets = Int32Array | Float32Array;

/** Takes the rows one after the other. */
export interface TargetReader {
	/** Throws the DataError that a row is whose label does not fit. */
	add(row: DatasetRow): void;
	/** Once all rows were added: the name of each output, and all targets. */
	settle(): { readonly labels: readonly string[]; readonly targets: Targets };
}

/** `labels`: those there may be, in order; else those found, sorted. */
export function targetReader(problemType: ProblemType, source: RowSource, labels: readonly string[] | undefined): TargetReader {
	if (problemType === 'regression') return new Numbers(source);
	return problemType === 'multi_label_classification' ? new Marks(source, labels) : new Classes(source, labels);
}

/** Numbers labels as they come, and anew in their final order. */
class Numbering {
	readonly #source: RowSource;
	readonly #labels: readonly string[] | undefined;
	readonly #found: Map<string, number>;

	constructor(source: RowSource, labels: readonly string[] | undefined) {
		this.#source = source;
		this.#labels = labels;
		this.#found = new Map((labels ?? []).map((label, index) => [label, index]));
	}

	numberOf(label: string, line: number): number {
		if (this.#labels === undefined && !this.#found.has(label)) this.#found.set(label, this.#found.size);
		const found = this.#found.get(label);
		if (found === undefined) throw unknownLabel(this.#source, { line, label }, this.#labels ?? []);
		return found;
	}

	settle(): { readonly labels: readonly string[]; readonly renumber: (number: number) => number } {
		const labels = this.#labels ?? sortedLabels(this.#found.keys());
		if (this.#labels === undefined) requireTwoLabels(labels, this.#source.source);
		const final = new Map(labels.map((label, index) => [label, index]));
		const numbers = Int32Array.from(this.#found.keys(), (label) => final.get(label) ?? 0);
		return { labels, renumber: (number) => numbers[number] ?? 0 };
	}
}

class Classes implements TargetReader {
	readonly #source: RowSource;
	readonly #numbering: Numbering;
	readonly #classes = new Int32List();

	constructor(source: RowSource, labels: readonly string[] | undefined) {
		this.#source = source;
		this.#numbering = new Numbering(source, labels);
	}

	add({ label, labels, line }: DatasetRow): void {
		if (labels !== undefined) {
			const hint = 'set problemType to multi_label_classification (--problem-type multi_label_classification)';
			throw this.#source.error('LABEL_INVALID', line, `expected one label, got the list ${label}`, hint);
		}
		this.#classes.push(this.#numbering.numberOf(label, line));
	}

	settle() {
		const { labels, renumber } = this.#numbering.settle();
		return { labels, targets: this.#classes.values().map(renumber) };
	}
}

class Marks implements TargetReader {
	readonly #numbering: Numbering;
	readonly #rows: (readonly number[])[] = [];

	constructor(source: RowSource, labels: readonly string[] | undefined) {
		this.#numbering = new Numbering(source, labels);
	}

	add({ label, labels = [label], line }: DatasetRow): void {
		this.#rows.push(labels.map((each) => this.#numbering.numberOf(each, line)));
	}

	settle() {
		const { labels, renumber } = this.#numbering.settle();
		const targets = new Float32Array(this.#rows.length * labels.length);
		for (const [row, numbers] of this.#rows.entries()) {
			for (const number of numbers) targets[row * labels.length + renumber(number)] = 1;
		}
		return { labels, targets };
	}
}

class Numbers implements TargetReader {
	readonly #source: RowSource;
	readonly #values: number[] = [];

	constructor(source: RowSource) {
		this.#source = source;
	}

	add({ label, line }: DatasetRow): void {
		const value = label.trim() === '' ? Number.NaN : Math.fround(Number(label));
		if (!Number.isFinite(value)) throw this.#source.error('LABEL_INVALID', line, `expected the label to be a number, got ${JSON.stringify(label)}`);
		this.#values.push(value);
	}

	settle() {
		return { labels: ['LABEL_0'], targets: Float32Array.from(this.#values) };
	}
}

/** Labels: their order, and the class index of each. */
import { DataError } from '../errors.js';
import type { DatasetRow, RowSource } from './row.js';

const CANONICAL_INTEGER = /^(0|-?[1-9]\d*)$/;

/** Each label once: numerically sorted where all are canonical integers (so not '01' or '1.0'), else by code unit. */
export function sortedLabels(labels: Iterable<string>): string[] {
	const unique = [...new Set(labels)];
	if (!unique.every((label) => CANONICAL_INTEGER.test(label))) return unique.sort();
	return unique.sort((a, b) => (BigInt(a) < BigInt(b) ? -1 : 1));
}

/** What parts several labels of a row that are one text, unless something else was agreed. */
export const defaultSeparator = '|';

/** The refusal of a row whose label a model does not know. */
export function unknownLabel(source: RowSource, { line, label }: Pick<DatasetRow, 'line' | 'label'>, labels: readonly string[]): DataError {
	return source.error('LABEL_UNKNOWN', line, `label ${JSON.stringify(label)} is not one of ${labels.join(', ')}`);
}

/** Refuses a set of labels nothing can be learned from. */
export function requireTwoLabels(labels: readonly string[], source: string): void {
	if (labels.length >= 2) return;
	throw new DataError(
		'ONE_CLASS',
		`Expected at least two labels in ${source}, found ${labels.length === 0 ? 'none' : `only ${JSON.stringify(labels[0])}`}`,
		{
			file: source,
			hint: 'add rows of the other class, or name the column that holds the class with labelColumn (--label-column)',
		},
	);
}

/** Rows that are JSON objects. */
import type { DataError } from '../errors.js';
import { type Columns, columnMissing, type FileRow, type Origin, type Original, rowError } from './row.js';

export type JsonObject = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The object a text spells, or why it spells none. */
export function objectOf(text: string, line: number, origin: Origin): JsonObject | DataError {
	let why = '';
	try {
		const value: unknown = JSON.parse(text);
		if (isObject(value)) return value;
	} catch (cause) {
		why = ` (${(cause as Error).message})`;
	}
	return rowError('JSON_INVALID', origin, line, `expected one JSON object, got ${JSON.stringify(text.trim().slice(0, 40))}${why}`);
}

/** The row of an object whose keys are the columns. */
export function objectRow(value: JsonObject, line: number, columns: Columns, origin: Origin, original: Original | undefined): FileRow | DataError {
	const fields = new Map(Object.entries(value));
	const wanted = columns.label === undefined ? [columns.text] : [columns.text, columns.label];
	const missing = wanted.filter((name) => !fields.has(name));
	if (missing.length > 0) return columnMissing(missing, [...fields.keys()], origin, line);
	return { line, text: fields.get(columns.text), label: columns.label === undefined ? undefined : fields.get(columns.label), original };
}

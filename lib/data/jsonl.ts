/** JSON lines: one object a line. */
import { DataError } from '../errors.js';
import { lines } from './lines.js';
import { objectOf, objectRow } from './object-row.js';
import type { Keep, RowReader } from './reading.js';
import type { Columns, FileRow, Origin } from './row.js';

/** Rows of the file; a line that is no object, or lacks a key, comes as the DataError it is. Blank lines are passed over. */
export const readJsonl: RowReader = async function* (chunks, columns, origin, keep) {
	let rows = 0;
	for await (const { bytes, line } of lines(chunks, origin)) {
		const text = bytes.toString();
		if (text.trim() === '') continue;
		rows += 1;
		yield rowOf(text, bytes, line, columns, origin, keep);
	}
	if (rows === 0) throw new DataError('NO_ROWS', `${origin.name} has no rows`, { file: origin.name });
};

function rowOf(text: string, bytes: Buffer, line: number, columns: Columns, origin: Origin, keep: Keep | undefined): FileRow | DataError {
	const value = objectOf(text, line, origin);
	if (value instanceof DataError) return value;
	const original = keep && { bytes, withText: (changed: string) => `${JSON.stringify({ ...value, [columns.text]: changed })}\n` };
	return objectRow(value, line, columns, origin, original);
}

/** JSON lines: one object a line. */
import { DataError } from '../errors.js';
import { MAX_ROW_BYTES } from './bytes.js';
import { objectOf, objectRow } from './object-row.js';
import type { Keep, RowReader } from './reading.js';
import { type Columns, type FileRow, type Origin, rowError } from './row.js';

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

/** Each line with its line break. */
async function* lines(chunks: AsyncIterable<Buffer>, origin: Origin): AsyncGenerator<{ bytes: Buffer; line: number }> {
	let line = 1;
	let pieces: Buffer[] = [];
	let length = 0;
	for await (const chunk of chunks) {
		let start = 0;
		for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
			yield { bytes: Buffer.concat([...pieces, chunk.subarray(start, end + 1)]), line };
			pieces = [];
			length = 0;
			line += 1;
			start = end + 1;
		}
		pieces.push(chunk.subarray(start));
		length += chunk.length - start;
		if (length > MAX_ROW_BYTES) throw rowError('ROW_TOO_LONG', origin, line, 'the row is longer than 16 MB');
	}
	if (length > 0) yield { bytes: Buffer.concat(pieces), line };
}

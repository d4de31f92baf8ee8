/** Lines of a file of text: each a row by itself, or what a format of one row a line is made of. */
import { DataError } from '../errors.js';
import { MAX_ROW_BYTES } from './bytes.js';
import type { RowReader } from './reading.js';
import { type Origin, rowError } from './row.js';

/** Every line as a text without a label, blank ones too, so that answers to them can be told apart by their place. */
export const readLines: RowReader = async function* (chunks, _columns, origin) {
	let rows = 0;
	for await (const { bytes, line } of lines(chunks, origin)) {
		rows += 1;
		yield { line, text: bytes.toString().replace(/\r?\n$/, ''), label: undefined };
	}
	if (rows === 0) throw new DataError('NO_ROWS', `${origin.name} has no rows`, { file: origin.name });
};

/** Each line with its line break. */
export async function* lines(chunks: AsyncIterable<Buffer>, origin: Origin): AsyncGenerator<{ bytes: Buffer; line: number }> {
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

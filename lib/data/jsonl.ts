/** JSON lines: one object a line. */
import { DataError } from '../errors.js';
import { MAX_ROW_BYTES } from './bytes.js';
import { type Columns, columnMissing, type FileRow, type Origin, rowError } from './row.js';

/** Rows of the file; a line that is no object, or lacks a key, comes as the DataError it is. Blank lines are passed over. */
export async function* readJsonl(chunks: AsyncIterable<Buffer>, columns: Columns, origin: Origin): AsyncGenerator<FileRow | DataError> {
	let rows = 0;
	for await (const { text, line } of lines(chunks, origin)) {
		if (text.trim() === '') continue;
		rows += 1;
		yield rowOf(text, line, columns, origin);
	}
	if (rows === 0) throw new DataError('NO_ROWS', `${origin.name} has no rows`, { file: origin.name });
}

function rowOf(text: string, line: number, columns: Columns, origin: Origin): FileRow | DataError {
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch (cause) {
		return rowError('JSON_INVALID', origin, line, `expected one JSON object, got ${JSON.stringify(text.slice(0, 40))} (${(cause as Error).message})`);
	}
	if (typeof value !== 'object' || value === null || Array.isArray(value)) {
		return rowError('JSON_INVALID', origin, line, `expected one JSON object, got ${JSON.stringify(text.slice(0, 40))}`);
	}
	const fields = new Map(Object.entries(value));
	const wanted = columns.label === undefined ? [columns.text] : [columns.text, columns.label];
	const missing = wanted.filter((name) => !fields.has(name));
	if (missing.length > 0) return columnMissing(missing, [...fields.keys()], origin, line);
	return { line, text: fields.get(columns.text), label: columns.label === undefined ? undefined : fields.get(columns.label) };
}

async function* lines(chunks: AsyncIterable<Buffer>, origin: Origin): AsyncGenerator<{ text: string; line: number }> {
	let line = 1;
	let pieces: Buffer[] = [];
	let length = 0;
	for await (const chunk of chunks) {
		let start = 0;
		for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
			yield { text: Buffer.concat([...pieces, chunk.subarray(start, end)]).toString(), line };
			pieces = [];
			length = 0;
			line += 1;
			start = end + 1;
		}
		pieces.push(chunk.subarray(start));
		length += chunk.length - start;
		if (length > MAX_ROW_BYTES) throw rowError('ROW_TOO_LONG', origin, line, 'the row is longer than 16 MB');
	}
	if (length > 0) yield { text: Buffer.concat(pieces).toString(), line };
}

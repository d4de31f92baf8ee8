/** Files of rows: which reader fits, and texts alone for a model that is to label them. */
import { extname } from 'node:path';

import { DataError } from '../errors.js';
import { checkedUtf8, fileBytes } from './bytes.js';
import { readCsv } from './csv.js';
import { readJsonl } from './jsonl.js';
import { type Columns, type FileRow, type Origin, textOf } from './row.js';

export type FileReader = (chunks: AsyncIterable<Buffer>, columns: Columns, origin: Origin) => AsyncGenerator<FileRow | DataError>;

/** The reader for a path's ending. */
export function readerFor(path: string): FileReader {
	const ending = extname(path).toLowerCase();
	if (ending === '.csv') return readCsv;
	if (ending === '.jsonl' || ending === '.ndjson') return readJsonl;
	throw new DataError('FORMAT_UNKNOWN', `Expected ${path} to end in .csv or .jsonl, got ${ending === '' ? 'no ending' : ending}`, { file: path });
}

/** Texts in order; a row without one comes as the DataError it is. `standardInput`, where given, is read as JSON lines instead of a file. */
export async function* readTexts(path: string, textColumn: string, standardInput?: AsyncIterable<Buffer>): AsyncGenerator<string | DataError> {
	const origin: Origin = { name: standardInput === undefined ? path : 'standard input', unit: 'Line' };
	const reader = standardInput === undefined ? readerFor(path) : readJsonl;
	for await (const row of reader(checkedUtf8(standardInput ?? fileBytes(path), origin.name), { text: textColumn }, origin)) {
		if (row instanceof DataError) yield row;
		else yield textOrError(row, origin);
	}
}

function textOrError(row: FileRow, origin: Origin): string | DataError {
	try {
		return textOf(row, origin);
	} catch (error) {
		if (error instanceof DataError) return error;
		throw error;
	}
}

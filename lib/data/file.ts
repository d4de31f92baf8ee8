/** Files of rows: which reader fits a path, and texts alone for a model that is to label them. */
import { statSync } from 'node:fs';
import { extname } from 'node:path';

import { DataError } from '../errors.js';
import { checkedUtf8 } from './bytes.js';
import { csvReader } from './csv.js';
import { readFolder } from './folder.js';
import { readJson } from './json.js';
import { readJsonl } from './jsonl.js';
import { readLines } from './lines.js';
import { readParquet } from './parquet.js';
import type { Format, RowReader } from './reading.js';
import { type FileRow, type Origin, textOf } from './row.js';
import { hashed, isGzip, storedText } from './stored.js';

const GZIP_BYTES = 64 * 2 ** 30;

export const csv = textFormat('CSV', csvReader(','));
export const tsv = textFormat('TSV', csvReader('\t'));
export const jsonl = textFormat('JSON lines', readJsonl);
export const json = textFormat('JSON', readJson);
const lines = textFormat('lines', readLines);
export const parquet: Format = { name: 'Parquet', unit: 'Row', rows: readParquet };
export const folder: Format = { name: 'folder', unit: 'File', rows: readFolder };

const BY_ENDING: Readonly<Record<string, Format>> = {
	'.csv': csv,
	'.tsv': tsv,
	'.jsonl': jsonl,
	'.ndjson': jsonl,
	'.json': json,
	'.parquet': parquet,
};

/** The format a path's name tells, gzip aside; a folder without such a name holds a folder for each label. Throws FORMAT_UNKNOWN. */
export function formatOf(path: string): Format {
	const ending = extname(isGzip(path) ? path.slice(0, -'.gz'.length) : path).toLowerCase();
	const format = BY_ENDING[ending];
	if (format !== undefined) return format;
	if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return folder;
	const known = Object.keys(BY_ENDING).join(', ');
	const sentence = `Expected ${path} to be a folder of labels or to end in one of ${known}, with or without .gz, got ${ending === '' ? 'no ending' : ending}`;
	throw new DataError('FORMAT_UNKNOWN', sentence, { file: path });
}

function textFormat(name: Format['name'], reader: RowReader): Format & { readonly reader: RowReader } {
	return {
		name,
		unit: 'Line',
		reader,
		rows: (path, { columns, keep, maxDecodedBytes = GZIP_BYTES, ...reading }) =>
			reader(storedText(path, { ...reading, maxDecodedBytes }), columns, { name: path, unit: 'Line' }, keep),
	};
}

/** What a stream of bytes can be read as. */
const streamed = { csv, tsv, jsonl, lines };
export type StreamedFormat = keyof typeof streamed;
export const streamedFormats = Object.keys(streamed) as readonly StreamedFormat[];

export interface TextReading {
	readonly textColumn: string;
	/** @default what the name's ending says: .txt is lines, otherwise as for rows; JSON lines of a stream */
	readonly format?: StreamedFormat | undefined;
	/** Read in place of a file, which `path` then only names. */
	readonly stream?: AsyncIterable<Buffer> | undefined;
	/** Told how many bytes of a stream or a file of text have been read, as they lie there. */
	readonly onBytes?: ((count: number) => void) | undefined;
}

/** Texts in order; a row without one comes as the DataError it is. */
export async function* readTexts(path: string, { textColumn, format, stream, onBytes = () => {} }: TextReading): AsyncGenerator<string | DataError> {
	const columns = { text: textColumn };
	const hash = (bytes: string | Uint8Array) => onBytes(bytes.length);
	const fromStream = streamed[format ?? 'jsonl'];
	const found = stream !== undefined || format !== undefined ? fromStream : textFormatOf(path);
	const origin: Origin = { name: path, unit: found.unit };
	// Other formats would read their file once more for its hash.
	const reading = 'reader' in found ? { columns, hash } : { columns };
	const rows = stream === undefined ? found.rows(path, reading) : fromStream.reader(checkedUtf8(hashed(stream, hash), path), columns, origin);
	for await (const row of rows) {
		if (row instanceof DataError) yield row;
		else yield textOrError(row, origin);
	}
}

const textFormatOf = (path: string): Format => (/\.txt(\.gz)?$/i.test(path) ? lines : formatOf(path));

function textOrError(row: FileRow, origin: Origin): string | DataError {
	try {
		return textOf(row, origin);
	} catch (error) {
		if (error instanceof DataError) return error;
		throw error;
	}
}

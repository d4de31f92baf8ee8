/**
 * Parquet, a row group at a time. hyparquet decodes; what it would take at its word (footer, page headers, packed sizes, runs) is
 * checked before it by parquet/. Memory: the two columns of the largest row group, packed and unpacked.
 */
import type { FileHandle } from 'node:fs/promises';

import { DataError } from '../errors.js';
import { fileBytes, MAX_ROW_BYTES, openFile } from './bytes.js';
import { decodedTooLarge } from './gzip.js';
import { codecOf } from './parquet/codecs.js';
import { BadText, type Column, decode } from './parquet/decode.js';
import { type Footer, pathOf, readAt, readFooter, type SchemaNode } from './parquet/footer.js';
import { UnknownEncoding } from './parquet/pages.js';
import type { Reading } from './reading.js';
import { columnMissing, type FileRow, type Origin, rowError } from './row.js';

const MAX_DECODED_BYTES = 4 * 2 ** 30;
/** Of one column in one row group: it is held in memory. */
const MAX_CHUNK_BYTES = 2 ** 30;
const MAX_CHUNK_VALUES = 2 ** 24;

/**
 * Rows of the file, `line` their number. Throws PARQUET_DAMAGED, PARQUET_ENCRYPTED, PARQUET_UNSUPPORTED with the codec, encoding or
 * type that is not read, PARQUET_TOO_LARGE, DECODED_TOO_LARGE.
 */
export async function* readParquet(path: string, reading: Reading): AsyncGenerator<FileRow | DataError> {
	const { columns, hash, maxDecodedBytes = MAX_DECODED_BYTES } = reading;
	if (hash !== undefined) for await (const chunk of fileBytes(path)) hash(chunk);
	const origin: Origin = { name: path, unit: 'Row' };
	const { handle, size } = await openFile(path);
	try {
		const footer = await readFooter(handle, size, path);
		const text = columnOf(footer, columns.text, 'text', origin);
		const label = columns.label === undefined ? undefined : columnOf(footer, columns.label, 'label', origin);
		const spend = budget(path, maxDecodedBytes);
		// A dictionary gives the same text to many rows.
		const spendText = budget(path, maxDecodedBytes);
		let line = 0;
		for (const group of footer.groups) {
			const read = (column: Column) => readColumn(handle, column, group, spend, path);
			const texts = await read(text);
			const labels = label && (await read(label));
			for (const [index, value] of texts.entries()) {
				line += 1;
				if (typeof value === 'string') spendText(value.length);
				yield rowOf(line, value, labels?.[index], origin, reading);
			}
		}
		if (line === 0) throw new DataError('NO_ROWS', `${path} has no rows`, { file: path });
	} finally {
		await handle.close();
	}
}

function rowOf(line: number, value: unknown, label: unknown, origin: Origin, { onNotUtf8 }: Reading): FileRow | DataError {
	if (typeof value === 'string' && value.length > MAX_ROW_BYTES) return rowError('ROW_TOO_LONG', origin, line, 'the text is longer than 16 MB');
	if (!(value instanceof BadText)) return { line, text: value, label: plain(label) };
	if (onNotUtf8 === undefined) return rowError('NOT_UTF8', origin, line, 'the text is not UTF-8');
	onNotUtf8(origin.name);
	return { line, text: value.bytes.toString(), label: plain(label) };
}

/** Labels as JSON has them. */
function plain(label: unknown): unknown {
	if (typeof label === 'bigint') return Number.isSafeInteger(Number(label)) ? Number(label) : String(label);
	if (Array.isArray(label)) return label.map(plain);
	return label instanceof BadText ? label.bytes.toString() : label;
}

/** The column of that name, which is to hold texts, or labels: values or lists of values. */
function columnOf({ columns }: Footer, name: string, use: 'text' | 'label', origin: Origin): Column {
	const found = columns.find((column) => column.name === name);
	if (found === undefined) {
		const names = columns.map((column) => column.name);
		throw columnMissing([name], names, { ...origin, unit: 'Row' }, 1);
	}
	const nodes = [found];
	for (let node = found; node.children[0] !== undefined; node = node.children[0]) nodes.push(node.children[0]);
	const leaf = nodes.at(-1) as SchemaNode;
	const maxRepetition = nodes.filter(({ repetition }) => repetition === 'REPEATED').length;
	const isPlain = nodes.length === 1 && maxRepetition === 0;
	const isList = nodes.every(({ children }) => children.length <= 1) && maxRepetition === 1 && (found.isList || nodes.length === 1);
	const unfit = () => unsupported(origin.name, `the column ${JSON.stringify(name)} holds ${kindOf(nodes)}`);
	if (!isPlain && !(isList && use === 'label')) throw unfit();
	if (leaf.type === undefined || leaf.meaning !== undefined || ['INT96', 'FIXED_LEN_BYTE_ARRAY'].includes(leaf.type)) throw unfit();
	return {
		name,
		path: pathOf(nodes),
		type: leaf.type,
		maxDefinition: nodes.filter(({ repetition }) => repetition !== 'REQUIRED').length,
		maxRepetition,
		nodes,
	};
}

function kindOf(nodes: readonly SchemaNode[]): string {
	const leaf = nodes.at(-1);
	return nodes.length > 1 ? 'nested values' : `values of type ${leaf?.meaning ?? leaf?.type ?? 'unknown'}`;
}

/** The values of a column in one row group, one a row. */
async function readColumn(
	handle: FileHandle,
	column: Column,
	{ rows, chunks }: Footer['groups'][number],
	spend: (bytes: number) => void,
	file: string,
): Promise<unknown[]> {
	const chunk = chunks.find(({ path }) => path === column.path);
	if (chunk === undefined) throw damaged(file, `a row group lacks the column ${JSON.stringify(column.name)}`);
	if (
		chunk.unpackedBytes > MAX_CHUNK_BYTES ||
		chunk.end - chunk.start > MAX_CHUNK_BYTES ||
		chunk.values > MAX_CHUNK_VALUES ||
		rows > MAX_CHUNK_VALUES
	) {
		const sentence = `A row group of ${file} has more than 1 GB or ${MAX_CHUNK_VALUES} values of ${JSON.stringify(column.name)}`;
		throw new DataError('PARQUET_TOO_LARGE', sentence, { file, hint: 'write it with smaller row groups, for example of 100,000 rows' });
	}
	spend(chunk.unpackedBytes);
	const unpack = await codecOf(chunk.codec);
	if (unpack === undefined) throw unsupported(file, `the column ${JSON.stringify(column.name)} is packed with ${chunk.codec}`);
	try {
		return await decode(await readAt(handle, chunk.start, chunk.end - chunk.start), column, { ...chunk, rows, unpack, maxValues: MAX_CHUNK_VALUES });
	} catch (cause) {
		if (cause instanceof UnknownEncoding) throw unsupported(file, `in the column ${JSON.stringify(column.name)}, ${cause.message}`);
		throw damaged(file, `in the column ${JSON.stringify(column.name)}, ${(cause as Error).message}`, cause);
	}
}

function budget(file: string, maxDecodedBytes: number): (bytes: number) => void {
	let spent = 0;
	return (bytes) => {
		spent += bytes;
		if (spent > maxDecodedBytes) throw decodedTooLarge(file, maxDecodedBytes);
	};
}

const damaged = (file: string, what: string, cause?: unknown): DataError =>
	new DataError('PARQUET_DAMAGED', `${file} is no whole Parquet file: ${what}`, { file, cause });

const unsupported = (file: string, what: string): DataError =>
	new DataError('PARQUET_UNSUPPORTED', `${file} cannot be read: ${what}`, {
		file,
		hint: 'write it with plain or dictionary encoding, packed with zstd, snappy, gzip or brotli; texts as strings, labels as strings, numbers or lists of them',
	});

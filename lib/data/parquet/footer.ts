/** What a Parquet file says of itself at its end: columns and where their pages lie, checked against the file before a page is read. */
import type { FileHandle } from 'node:fs/promises';

import { DataError } from '../../errors.js';
import { Malformed, readStruct, type ThriftStruct, type ThriftValue } from './thrift.js';

/** A column, or a part of one that is nested. */
export interface SchemaNode {
	readonly name: string;
	/** Type of its values; undefined where it has children. */
	readonly type: string | undefined;
	readonly repetition: 'REQUIRED' | 'OPTIONAL' | 'REPEATED';
	readonly isList: boolean;
	/** What its values mean beyond their type, where reading them as they are would be wrong. */
	readonly meaning: string | undefined;
	readonly children: readonly SchemaNode[];
}

/** The pages of one column in one row group: bytes [start, end) of the file. */
export interface Chunk {
	/** Its column's pathOf(). */
	readonly path: string;
	readonly codec: string;
	readonly values: number;
	readonly start: number;
	readonly end: number;
	/** Of all its pages unpacked, headers included. */
	readonly unpackedBytes: number;
}

export interface Footer {
	readonly columns: readonly SchemaNode[];
	readonly groups: readonly { readonly rows: number; readonly chunks: readonly Chunk[] }[];
}

/** What a column chunk and its column are known by: the names from the column down. */
export const pathOf = (nodes: readonly { readonly name: string }[]): string => JSON.stringify(nodes.map(({ name }) => name));

const MAX_FOOTER_BYTES = 16 * 2 ** 20;
const MAX_SCHEMA_DEPTH = 32;

const TYPES = ['BOOLEAN', 'INT32', 'INT64', 'INT96', 'FLOAT', 'DOUBLE', 'BYTE_ARRAY', 'FIXED_LEN_BYTE_ARRAY'];
const CODECS = ['UNCOMPRESSED', 'SNAPPY', 'GZIP', 'LZO', 'BROTLI', 'LZ4', 'ZSTD', 'LZ4_RAW'];
const REPETITIONS = ['REQUIRED', 'OPTIONAL', 'REPEATED'] as const;
/** Converted types, and the newer logical types, whose values are not what they seem. */
const CONVERTED: Readonly<Record<number, string>> = {
	5: 'decimal',
	6: 'date',
	7: 'time',
	8: 'time',
	9: 'time',
	10: 'time',
	20: 'BSON',
	21: 'interval',
};
const LOGICAL: Readonly<Record<number, string>> = { 5: 'decimal', 6: 'date', 7: 'time', 8: 'time', 13: 'BSON', 14: 'UUID', 15: 'half-precision' };
const CONVERTED_LIST = 3;
const LOGICAL_LIST = 3;

/** Throws PARQUET_DAMAGED, PARQUET_ENCRYPTED, PARQUET_TOO_LARGE. */
export async function readFooter(handle: FileHandle, size: number, file: string): Promise<Footer> {
	const damaged = (what: string) => new DataError('PARQUET_DAMAGED', `${file} is no whole Parquet file: ${what}`, { file });
	if (size < 12) throw damaged(`it has only ${size} bytes`);
	const [head, tail] = [await readAt(handle, 0, 4), await readAt(handle, size - 8, 8)];
	const magics = [head.toString('latin1'), tail.toString('latin1', 4)];
	if (magics.includes('PARE')) throw new DataError('PARQUET_ENCRYPTED', `${file} is encrypted`, { file, hint: 'write it again without encryption' });
	if (magics.some((magic) => magic !== 'PAR1')) throw damaged('it does not begin and end with PAR1');
	const length = tail.readUInt32LE(0);
	if (length > size - 12) throw damaged(`its footer claims ${length} of ${size} bytes`);
	if (length > MAX_FOOTER_BYTES) {
		throw new DataError('PARQUET_TOO_LARGE', `The footer of ${file} has ${length} bytes, more than 16 MB`, {
			file,
			hint: 'write it with larger row groups',
		});
	}
	const start = size - 8 - length;
	try {
		return footerOf(readStruct(await readAt(handle, start, length), 0).value, start, file);
	} catch (cause) {
		throw cause instanceof Malformed ? damaged(`in its footer, ${cause.message}`) : cause;
	}
}

export async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
	const bytes = Buffer.from(new ArrayBuffer(length)); // never of Node's shared pool: readers see all of the buffer behind
	let done = 0;
	while (done < length) {
		const { bytesRead } = await handle.read(bytes, done, length - done, position + done);
		if (bytesRead === 0) throw new Malformed('the file ends while it is read');
		done += bytesRead;
	}
	return bytes;
}

function footerOf(meta: ThriftStruct, dataEnd: number, file: string): Footer {
	const groups = structs(meta.get(4), 'row groups').map((group) => ({
		rows: count(group.get(3), 'rows of a row group'),
		chunks: structs(group.get(1), 'column chunks').map((chunk) => chunkOf(chunk, dataEnd, file)),
	}));
	const rows = groups.reduce((sum, group) => sum + group.rows, 0);
	if (rows !== count(meta.get(3), 'rows')) throw new Malformed(`the row groups have ${rows} rows, the file claims ${meta.get(3)}`);
	requireApart(groups.flatMap(({ chunks }) => chunks));
	return { columns: columnsOf(structs(meta.get(2), 'the schema')), groups };
}

function chunkOf(chunk: ThriftStruct, dataEnd: number, file: string): Chunk {
	if (chunk.has(8) || chunk.has(9))
		throw new DataError('PARQUET_ENCRYPTED', `A column of ${file} is encrypted`, { file, hint: 'write it again without encryption' });
	if (chunk.has(1)) throw new Malformed('a column lies in another file');
	const meta = chunk.get(3);
	if (!(meta instanceof Map)) throw new Malformed('a column chunk says nothing of itself');
	const first = count(meta.get(9), 'the offset of a page');
	const dictionary = meta.has(11) ? count(meta.get(11), 'the offset of a dictionary') : 0;
	// Some writers leave the dictionary's offset at 0, or count its page among the data.
	const start = dictionary > 0 && dictionary < first ? dictionary : first;
	const end = start + count(meta.get(7), 'the size of a column chunk');
	if (start < 4 || end > dataEnd)
		throw new Malformed(`a column chunk at bytes ${start} to ${end} lies outside the ${dataEnd} bytes before the footer`);
	return {
		path: pathOf(list(meta.get(3), 'the path of a column').map((name) => ({ name: text(name, 'the path of a column') }))),
		codec: CODECS[count(meta.get(4), 'a codec')] ?? `codec ${meta.get(4)}`,
		values: count(meta.get(5), 'the values of a column chunk'),
		start,
		end,
		unpackedBytes: count(meta.get(6), 'the size of a column chunk'),
	};
}

/** Pages that are shared between chunks unpack to any size. */
function requireApart(chunks: readonly Chunk[]): void {
	const inOrder = [...chunks].sort((a, b) => a.start - b.start);
	for (const [index, { start }] of inOrder.entries()) {
		if (index > 0 && start < (inOrder[index - 1] as Chunk).end) throw new Malformed(`two column chunks overlap at byte ${start}`);
	}
}

function columnsOf(elements: readonly ThriftStruct[]): readonly SchemaNode[] {
	let next = 0;
	const node = (depth: number): SchemaNode => {
		const element = elements[next];
		next += 1;
		if (element === undefined) throw new Malformed('the schema names children that are not there');
		if (depth > MAX_SCHEMA_DEPTH) throw new Malformed(`columns are nested more than ${MAX_SCHEMA_DEPTH} deep`);
		const children = element.has(5) ? count(element.get(5), 'the children of a column') : 0;
		if (children > elements.length) throw new Malformed(`a column claims ${children} children of ${elements.length} in all`);
		const [converted, logical] = [element.get(6) as number, firstId(element.get(10))];
		return {
			name: text(element.get(4), 'the name of a column'),
			type: children > 0 ? undefined : TYPES[count(element.get(1) ?? -1, 'the type of a column')],
			repetition: REPETITIONS[element.get(3) as number] ?? 'REQUIRED',
			isList: converted === CONVERTED_LIST || logical === LOGICAL_LIST,
			meaning: CONVERTED[converted] ?? LOGICAL[logical],
			children: Array.from({ length: children }, () => node(depth + 1)),
		};
	};
	const { children } = node(0);
	if (next !== elements.length) throw new Malformed('the schema has elements that belong to no column');
	return children;
}

/** The logical type is a union: a struct with one field. */
function firstId(value: ThriftValue | undefined): number {
	return value instanceof Map ? (value.keys().next().value ?? 0) : 0;
}

function count(value: ThriftValue | undefined, what: string): number {
	if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
	throw new Malformed(`${what} is ${value === undefined ? 'missing' : typeof value === 'number' ? value : 'no number'}`);
}

function list(value: ThriftValue | undefined, what: string): readonly ThriftValue[] {
	if (Array.isArray(value)) return value;
	throw new Malformed(`${what} is no list`);
}

function structs(value: ThriftValue | undefined, what: string): readonly ThriftStruct[] {
	return list(value, what).map((each) => {
		if (each instanceof Map) return each;
		throw new Malformed(`${what} is no list of structures`);
	});
}

function text(value: ThriftValue | undefined, what: string): string {
	if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.length).toString();
	throw new Malformed(`${what} is no text`);
}

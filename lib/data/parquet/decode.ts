/** The values of one column chunk, decoded by hyparquet page by page as each has been looked through. */
import { isUtf8 } from 'node:buffer';
import type { FileMetaData, SchemaElement } from 'hyparquet';

import type { Unpack } from './codecs.js';
import type { SchemaNode } from './footer.js';
import { type ChunkLimits, checkBody, type Levels, pagesOf } from './pages.js';
import { Malformed } from './thrift.js';

/** A column of values, or of lists of them. */
export interface Column extends Levels {
	readonly name: string;
	readonly path: string;
	/** From the column down to its values: each the only child of the one before. */
	readonly nodes: readonly SchemaNode[];
}

/** Bytes that should be a text and are not UTF-8. */
export class BadText {
	constructor(readonly bytes: Buffer) {}
}

/** What was claimed of a chunk, and how its pages are unpacked. */
interface Claims extends ChunkLimits {
	readonly rows: number;
	readonly unpack: Unpack;
}

/** hyparquet calls whoever is named for the codec it finds; told of this one, it asks us for every page. */
const OURS = 'LZO';

/**
 * One value a row: a string, a BadText, a number, a bigint, a boolean, a list of these, or null where there is none. `bytes` has its
 * memory to itself. Throws Malformed, UnknownEncoding, or whatever hyparquet does.
 */
export async function decode(bytes: Buffer, column: Column, claims: Claims): Promise<unknown[]> {
	const { parquetRead } = await import('hyparquet');
	const { rows, unpack } = claims;
	const isFlat = column.maxRepetition === 0;
	if (isFlat && claims.values !== rows) throw new Malformed(`a row group of ${rows} rows has ${claims.values} values`);
	const { pages, end } = pagesOf(bytes, column, { ...claims, maxValues: isFlat ? rows : claims.maxValues });
	const pageAt = new Map(pages.map((page) => [page.body, page]));
	const lookedThrough = (packed: Uint8Array, size: number): Uint8Array => {
		const page = pageAt.get(packed.byteOffset);
		if (page === undefined) throw new Malformed('a page begins where none does');
		const body = unpack(packed, size);
		checkBody(page, body, column);
		return body;
	};
	const memory = bytes.buffer as ArrayBuffer;
	let values: unknown[] = [];
	await parquetRead({
		file: { byteLength: end, slice: (from, to) => (to === memory.byteLength && from === 0 ? memory : memory.slice(from, to)) },
		metadata: metadataOf(column, claims, end),
		columns: [column.name],
		compressors: { [OURS]: lookedThrough },
		parsers: { stringFromBytes },
		rowFormat: 'array',
		onComplete: (decoded: unknown[][]) => {
			values = decoded.map(([value]) => value);
		},
	});
	if (values.length !== rows) throw new Malformed(`a row group of ${rows} rows has ${values.length} values`);
	return isFlat ? values.map(known) : values.map((value) => (Array.isArray(value) ? value.map(known) : null)); // a list that is missing comes as undefined
}

function known(value: unknown): unknown {
	if (value === undefined) throw new Malformed('a value refers to none of its dictionary');
	return value;
}

/** As hyparquet has it of a file, of one that holds nothing but this chunk, in memory [0, end). */
function metadataOf({ nodes, type }: Column, { rows, values, unpackedBytes }: Claims, end: number): FileMetaData {
	const chunk = {
		type,
		encodings: [],
		path_in_schema: nodes.map(({ name }) => name),
		codec: OURS,
		num_values: BigInt(values),
		total_uncompressed_size: BigInt(unpackedBytes),
		total_compressed_size: BigInt(end),
		data_page_offset: 0n,
	};
	const group = { num_rows: BigInt(rows), total_byte_size: BigInt(end), columns: [{ file_offset: 0n, meta_data: chunk }] };
	const schema = [{ name: 'schema', num_children: 1 }, ...nodes.map(elementOf)];
	return { version: 2, schema, num_rows: BigInt(rows), metadata_length: 0, row_groups: [group] } as unknown as FileMetaData;
}

function elementOf({ name, type, repetition, isList, children }: SchemaNode): SchemaElement {
	const converted = isList ? { converted_type: 'LIST' as const } : type === 'BYTE_ARRAY' ? { converted_type: 'UTF8' as const } : {};
	const values = type === undefined ? { num_children: children.length } : { type: type as NonNullable<SchemaElement['type']> };
	return { name, repetition_type: repetition, ...values, ...converted };
}

function stringFromBytes(view: Uint8Array | undefined): unknown {
	if (view === undefined) return undefined;
	const bytes = Buffer.from(view.buffer, view.byteOffset, view.length);
	return isUtf8(bytes) ? bytes.toString() : new BadText(Buffer.from(bytes));
}

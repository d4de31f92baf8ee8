/** Parquet files built byte by byte, so that each can be wrong in one place. */

type Thrift = number | boolean | string | Buffer | Thrift[] | Struct | { readonly long: number };
export interface Struct {
	readonly [id: number]: Thrift | undefined;
}

export function varint(value: number): Buffer {
	const bytes = [];
	let left = BigInt(value);
	for (; left >= 128n; left >>= 7n) bytes.push(Number(left & 127n) | 128);
	return Buffer.from([...bytes, Number(left)]);
}
const zigzag = (value: number) => varint(value < 0 ? -2 * value - 1 : 2 * value);

function typeOf(value: Thrift): number {
	if (typeof value === 'number') return 5;
	if (typeof value === 'boolean') return value ? 1 : 2;
	if (typeof value === 'string' || Buffer.isBuffer(value)) return 8;
	if (Array.isArray(value)) return 9;
	return 'long' in value ? 6 : 12;
}

function bytesOf(value: Thrift): Buffer {
	if (typeof value === 'number') return zigzag(value);
	if (typeof value === 'boolean') return Buffer.alloc(0);
	if (typeof value === 'string' || Buffer.isBuffer(value)) return Buffer.concat([varint(Buffer.byteLength(value)), Buffer.from(value)]);
	if (Array.isArray(value)) {
		const head = Buffer.concat([Buffer.from([0xf0 | typeOf(value[0] ?? {})]), varint(value.length)]);
		return Buffer.concat([head, ...value.map(bytesOf)]);
	}
	return 'long' in value ? zigzag(value.long as number) : structBytes(value as Struct);
}

/** A struct of the compact protocol. */
export function structBytes(fields: Struct): Buffer {
	let last = 0;
	const parts = Object.entries(fields).flatMap(([id, value]) => {
		if (value === undefined) return [];
		const delta = Number(id) - last;
		last = Number(id);
		return [Buffer.from([(delta << 4) | typeOf(value)]), bytesOf(value)];
	});
	return Buffer.concat([...parts, Buffer.from([0])]);
}

export interface Page {
	readonly header: Struct;
	readonly body: Buffer;
}

const lengthPrefixed = (bytes: Buffer) => {
	const length = Buffer.alloc(4);
	length.writeUInt32LE(bytes.length);
	return Buffer.concat([length, bytes]);
};
export const plainTexts = (texts: readonly string[]) => Buffer.concat(texts.map((text) => lengthPrefixed(Buffer.from(text))));
export const levels = lengthPrefixed;

/** A data page of the first version; `more` wins over what the header says by itself. */
export const dataPage = (
	body: Buffer,
	values: number,
	{ encoding = 0, more = {} as Struct, data = {} as Struct, size = body.length } = {},
): Page => ({
	header: { 1: 0, 2: size, 3: body.length, 5: { 1: values, 2: encoding, 3: 3, 4: 3, ...data }, ...more },
	body,
});
export const dictionaryPage = (texts: readonly string[], more: Struct = {}): Page => {
	const body = plainTexts(texts);
	return { header: { 1: 2, 2: body.length, 3: body.length, 7: { 1: texts.length, 2: 0 }, ...more }, body };
};

export interface ColumnSpec {
	readonly pages: readonly Page[];
	/** Fields of the column's metadata and of its place in the schema that win over the true ones. */
	readonly meta?: Struct;
	readonly chunk?: Struct;
	readonly schema?: Struct;
}

export interface FileSpec {
	readonly text: ColumnSpec;
	readonly label?: ColumnSpec;
	readonly rows?: number;
	/** Fields of the row group and the footer that win. */
	readonly group?: Struct;
	readonly footer?: Struct;
	/** What lies between the columns and the length of the footer, in place of the footer. */
	readonly tail?: Buffer;
	readonly magic?: string;
}

/** A file of one row group with two required columns of strings. */
export function parquetFile({ text, label, rows = 2, group = {}, footer = {}, tail, magic = 'PAR1' }: FileSpec): Buffer {
	const columns = {
		text,
		label: label ?? { pages: [dataPage(plainTexts(Array.from({ length: rows }, (_, row) => 'ab'[row % 2] as string)), rows)] },
	};
	const parts = [Buffer.from('PAR1')];
	let at = 4;
	const chunks = Object.entries(columns).map(([name, { pages, meta = {}, chunk = {} }]) => {
		const bytes = Buffer.concat(pages.flatMap(({ header, body }) => [structBytes(header), body]));
		parts.push(bytes);
		const start = at;
		at += bytes.length;
		const unpacked = pages.reduce((sum, { header }) => sum + structBytes(header).length + Math.max(0, header[2] as number), 0);
		const sizes = { 6: { long: unpacked }, 7: { long: bytes.length }, 9: { long: start } };
		return { 2: { long: start }, 3: { 1: 6, 2: [0], 3: [name], 4: 0, 5: { long: rows }, ...sizes, ...meta }, ...chunk };
	});
	const schema = [{ 4: 'schema', 5: 2 }, ...Object.entries(columns).map(([name, column]) => ({ 1: 6, 3: 0, 4: name, 6: 0, ...column.schema }))];
	const meta = structBytes({ 1: 1, 2: schema, 3: { long: rows }, 4: [{ 1: chunks, 2: { long: at }, 3: { long: rows }, ...group }], ...footer });
	const end = tail ?? meta;
	const length = Buffer.alloc(4);
	length.writeUInt32LE(end.length);
	return Buffer.concat([...parts, end, length, Buffer.from(magic)]);
}

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { snappyCompress } from 'hysnappy';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readParquet } from '../lib/data/parquet.js';
import { Dataset, type DatasetOptions } from '../lib/dataset.js';
import { DataError } from '../lib/errors.js';
import { fixture } from './models.js';
import { type ColumnSpec, dataPage, dictionaryPage, type FileSpec, levels, parquetFile, plainTexts, structBytes, varint } from './parquet.js';

let folder: string;
beforeAll(() => {
	folder = mkdtempSync(join(tmpdir(), 'distiltune-parquet-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
function file(content: Uint8Array): string {
	files += 1;
	const path = join(folder, `${files}.parquet`);
	writeFileSync(path, content);
	return path;
}

async function rowsOf(path: string, options: DatasetOptions = {}): Promise<{ text: string; label: unknown }[]> {
	const rows = [];
	for await (const { text, label } of Dataset.fromParquet(path, options)) rows.push({ text, label });
	return rows;
}

async function refusal(content: Uint8Array | string, options: DatasetOptions = {}): Promise<DataError> {
	const path = typeof content === 'string' ? content : file(content);
	const error = await rowsOf(path, options).then(
		(rows) => expect.fail(`read ${rows.length} rows`),
		(reason: unknown) => reason,
	);
	expect(error).toBeInstanceOf(DataError);
	return error as DataError;
}

const text: ColumnSpec = { pages: [dataPage(plainTexts(['one', 'two']), 2)] };

describe('Parquet by other writers', () => {
	const written = (name: string) => fixture(`parquet/${name}.parquet`);
	const expected = Array.from({ length: 40 }, (_, row) => `row ${row} ${'é漢🙂 '.repeat(row % 5)}end`);

	it.each(['snappy', 'plain', 'groups', 'gzip-v2', 'brotli', 'delta-v2', 'delta', 'polars', 'duckdb'])('reads %s', async (name) => {
		const rows = await rowsOf(written(name));
		expect(rows.map((row) => row.text)).toEqual(expected);
		expect(rows.map((row) => row.label)).toEqual(expected.map((_, row) => ['ham', 'spam', 'else'][row % 3]));
		const labels = async (labelColumn: string) => (await rowsOf(written(name), { labelColumn })).map((row) => String(row.label));
		expect(await labels('number')).toEqual(expected.map((_, row) => String(row % 4)));
		expect(await labels('small')).toEqual(expected.map((_, row) => String(row % 4)));
		expect(await labels('score')).toEqual(expected.map((_, row) => String(row / 8)));
		expect(await labels('flag')).toEqual(expected.map((_, row) => String(row % 2 === 0)));
	});

	it.each(['snappy', 'groups', 'gzip-v2', 'polars', 'duckdb'])('reads lists and missing values of %s', async (name) => {
		const read = async (label: string) => {
			const rows = [];
			for await (const row of readParquet(written(name), { columns: { text: 'text', label } })) rows.push(row instanceof DataError ? row : row.label);
			return rows;
		};
		expect(await read('tags')).toEqual(expected.map((_, row) => ['x', 'y', 'z'].slice(0, row % 3)));
		expect(await read('gaps')).toEqual(expected.map((_, row) => (row % 5 === 0 ? null : `gap ${row}`)));
	});

	it.each([
		['lz4', {}, 'the column "text" is packed with LZ4_RAW'],
		['prefixes', {}, 'in the column "text", the encoding DELTA_BYTE_ARRAY is not read'],
		['snappy', { labelColumn: 'day' }, 'the column "day" holds values of type date'],
		['snappy', { textColumn: 'tags' }, 'the column "tags" holds nested values'],
	])('names what it does not read: %s %j', async (name, options, sentence) => {
		const error = await refusal(written(name), options);
		expect(error.code).toBe('PARQUET_UNSUPPORTED');
		expect(error.message).toContain(sentence);
	});

	it('names the columns there are', async () => {
		expect((await refusal(written('snappy'), { labelColumn: 'class' })).message).toMatch(/expected a column "class", found "id", "text", /);
	});

	it('is told apart by its bytes, and read no further than asked', async () => {
		const dataset = Dataset.from(written('groups'));
		for await (const { line } of dataset) if (line === 3) break;
		expect(dataset.fingerprint).toBeUndefined();
		for await (const _ of dataset);
		expect(dataset.fingerprint).toMatchObject({ rows: 40 });
	});
});

describe('hostile Parquet', () => {
	it('is built by this test as a reader expects it', async () => {
		expect(await rowsOf(file(parquetFile({ text })))).toEqual([
			{ text: 'one', label: 'a' },
			{ text: 'two', label: 'b' },
		]);
	});

	const MAX = 2 ** 31 - 1;
	const dictionaryOf = (indices: Buffer, texts = ['one', 'two']): ColumnSpec => ({
		pages: [dictionaryPage(texts), dataPage(indices, 2, { encoding: 8 })],
	});
	const nested = (depth: number): Buffer => Buffer.concat([Buffer.alloc(depth, 0x1c), Buffer.alloc(depth + 1)]);
	const packed = (codec: number, body: Buffer, size: number): ColumnSpec => ({ pages: [dataPage(body, 2, { size })], meta: { 4: codec } });
	const optional = (body: Buffer): ColumnSpec => ({ pages: [dataPage(body, 2)], schema: { 3: 1 } });
	const zstdBomb = Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0x40]), Buffer.from([0x03, 0, 0x40, 65])]);

	it.each<[string, FileSpec, string]>([
		[
			'a page of 2^31-1 bytes',
			{ text: { pages: [dataPage(plainTexts(['one', 'two']), 2, { size: MAX })], meta: { 6: { long: 1000 } } } },
			`there are ${MAX} bytes of a page`,
		],
		['a page of -1 bytes', { text: { pages: [dataPage(plainTexts(['one', 'two']), 2, { size: -1 })] } }, 'there are -1 bytes of a page'],
		['a page beyond its chunk', { text: { pages: [dataPage(plainTexts(['one', 'two']), 2, { more: { 3: 10_000 } })] } }, 'packed bytes of a page'],
		['a page of more than its chunk claims', { text: { ...text, meta: { 6: { long: 9 } } } }, 'unpack to more than the 9 bytes'],
		['a page of 2^31-1 values', { text: { pages: [dataPage(plainTexts(['one', 'two']), MAX)] } }, `there are ${MAX} values of a page`],
		['a page of -1 values', { text: { pages: [dataPage(plainTexts(['one', 'two']), -1)] } }, 'there are -1 values of a page'],
		['values that are not there', { text: { pages: [dataPage(plainTexts(['one']), 2)] } }, 'in the column "text", '],
		['a value longer than its page', { text: { pages: [dataPage(Buffer.from([255, 255, 255, 127, 65]), 2)] } }, 'in the column "text", '],
		['a list of 2^31-1', { text, tail: Buffer.concat([Buffer.from([0x19, 0xfc]), varint(MAX)]) }, `a list of ${MAX} has no room`],
		['a number without an end', { text, tail: Buffer.concat([Buffer.from([0x15]), Buffer.alloc(100, 0xff)]) }, 'more than ten bytes'],
		['a footer nested 1,000 deep', { text, tail: nested(1000) }, 'nested more than 64 deep'],
		['a footer that ends early', { text, tail: structBytes({ 1: 1 }).subarray(0, 2) }, 'it ends inside a value'],
		['a footer of another shape', { text, tail: structBytes({ 1: 1, 3: { long: 1 } }) }, 'row groups is no list'],
		['rows that are not there', { text, footer: { 3: { long: 99 } } }, 'the row groups have 2 rows, the file claims 99'],
		['fewer values than rows', { text, rows: 3, group: { 3: { long: 3 } } }, 'a column chunk ends after 2 of 3 values'],
		[
			'more rows than values',
			{ text: { ...text, meta: { 5: { long: 2 } } }, group: { 3: { long: 5 } }, footer: { 3: { long: 5 } } },
			'a row group of 5 rows has 2 values',
		],
		['a chunk outside the file', { text: { ...text, meta: { 9: { long: 1e9 } } } }, 'lies outside'],
		['a chunk at a negative offset', { text: { ...text, meta: { 9: { long: -5 } } } }, 'the offset of a page is -5'],
		['a chunk before the data', { text: { ...text, meta: { 9: { long: 0 } } } }, 'a column chunk at bytes 0'],
		['chunks that overlap', { text, label: { ...text, meta: { 9: { long: 4 } } } }, 'two column chunks overlap at byte 4'],
		['a column in another file', { text: { ...text, chunk: { 1: 'elsewhere' } } }, 'a column lies in another file'],
		['a schema that claims children', { text, footer: { 2: [{ 4: 'schema', 5: 2 ** 30 }] } }, 'claims 1073741824 children of 1'],
		[
			'a schema nested 1,000 deep',
			{ text, footer: { 2: Array.from({ length: 1000 }, () => ({ 4: 'text', 5: 1 })) } },
			'columns are nested more than 32 deep',
		],
		['a dictionary index out of range', { text: dictionaryOf(Buffer.from([2, 4, 3])) }, 'a value refers to none of its dictionary'],
		[
			'a dictionary that is not there',
			{ text: { pages: [dataPage(Buffer.from([1, 4, 0]), 2, { encoding: 8 })] } },
			'refers to a dictionary that is not there',
		],
		[
			'two dictionaries',
			{ text: { pages: [dictionaryPage(['a']), ...dictionaryOf(Buffer.from([1, 4, 0])).pages] } },
			'a dictionary where none belongs',
		],
		[
			'a run of 2^30 indices',
			{ text: dictionaryOf(Buffer.concat([Buffer.from([1]), varint(2 ** 31), Buffer.from([0])])) },
			'a run of 1073741824 goes past',
		],
		['a packed run of 2^33 indices', { text: dictionaryOf(Buffer.concat([Buffer.from([0]), varint(2 ** 31 - 1)])) }, 'goes past the 2 values'],
		['indices of 200 bits', { text: dictionaryOf(Buffer.from([200, 4, 0])) }, 'dictionary indices of 200 bits'],
		[
			'a run of 2^30 levels',
			{ text: optional(Buffer.concat([levels(Buffer.concat([varint(2 ** 31), Buffer.from([1])])), plainTexts(['a', 'b'])])) },
			'goes past the 2 values',
		],
		['levels longer than their page', { text: optional(Buffer.from([255, 255, 255, 255, 4, 1])) }, 'the levels of a page are longer than the page'],
		[
			'levels for too few values',
			{ text: optional(Buffer.concat([levels(Buffer.from([2, 1])), plainTexts(['a', 'b'])])) },
			'levels for 1 of its 2 values',
		],
		[
			'delta blocks that lead nowhere',
			{ text: { pages: [dataPage(Buffer.concat([varint(128), varint(2 ** 32 - 4), Buffer.from([2, 0])]), 2, { encoding: 6 })] } },
			'blocks of 128 values in',
		],
		['a gzip bomb', { text: packed(2, gzipSync(Buffer.alloc(1e6)), 1000) }, 'a page of 1000 bytes cannot be unpacked'],
		['a brotli bomb', { text: packed(4, brotliCompressSync(Buffer.alloc(1e6)), 1000) }, 'a page of 1000 bytes cannot be unpacked'],
		['a zstd bomb', { text: packed(6, zstdBomb, 1000) }, 'in the column "text", '],
		['a snappy bomb', { text: packed(1, Buffer.from(snappyCompress(Buffer.alloc(1e6))), 1000) }, 'names 1000 bytes in its header and 1000000 inside'],
		['a snappy literal of 2^31 bytes', { text: packed(1, Buffer.from([16, 0xfc, 0, 0, 0, 0x80, 1, 2, 3]), 16) }, 'cannot be unpacked'],
		['a snappy copy from before its beginning', { text: packed(1, Buffer.from([16, 0, 65, 0xfe, 0, 1]), 16) }, 'cannot be unpacked'],
		['what is no gzip', { text: packed(2, Buffer.from('hello'), 16) }, 'cannot be unpacked'],
		['an unknown kind of page', { text: { pages: [dataPage(plainTexts(['one', 'two']), 2, { more: { 1: 9 } })] } }, 'a page of the unknown type 9'],
	])('refuses %s', async (_, spec, sentence) => {
		const started = process.cpuUsage();
		const error = await refusal(parquetFile(spec));
		expect(error).toMatchObject({ code: 'PARQUET_DAMAGED', file: expect.stringContaining('.parquet') });
		expect(error.message).toContain(sentence);
		expect(process.cpuUsage(started).user).toBeLessThan(1e6); // a second: the bar of a hostile file
	});

	it('refuses what is not Parquet, or cut off', async () => {
		const whole = parquetFile({ text });
		expect(await refusal(Buffer.from('text,label\none,a\n'))).toMatchObject({ code: 'PARQUET_DAMAGED' });
		expect((await refusal(Buffer.from('PAR1'))).message).toContain('it has only 4 bytes');
		expect((await refusal(whole.subarray(0, -1))).message).toContain('it does not begin and end with PAR1');
		const long = Buffer.from(whole);
		long.writeUInt32LE(whole.length * 2, whole.length - 8);
		expect((await refusal(long)).message).toContain(`its footer claims ${whole.length * 2} of ${whole.length} bytes`);
	});

	it('says that a file or a column is encrypted', async () => {
		expect(await refusal(parquetFile({ text, magic: 'PARE' }))).toMatchObject({ code: 'PARQUET_ENCRYPTED' });
		expect(await refusal(parquetFile({ text: { ...text, chunk: { 8: { 1: {} } } } }))).toMatchObject({ code: 'PARQUET_ENCRYPTED' });
	});

	it('keeps within a budget of decoded bytes, also where one text is given to many rows', async () => {
		const path = file(parquetFile({ text }));
		expect(await refusal(path, { maxDecodedBytes: 20 })).toMatchObject({ code: 'DECODED_TOO_LARGE' });
		const many = dataPage(Buffer.concat([Buffer.from([1]), varint(20_000), Buffer.from([0])]), 10_000, { encoding: 8 });
		const spec = { text: { pages: [dictionaryPage(['x'.repeat(1000)]), many] }, rows: 10_000 };
		expect(await refusal(parquetFile(spec), { maxDecodedBytes: 1e6 })).toMatchObject({ code: 'DECODED_TOO_LARGE' });
		expect(await rowsOf(file(parquetFile(spec)), { maxDecodedBytes: 2e7 })).toHaveLength(10_000);
	});

	it('refuses a row group too large for memory before it is read', async () => {
		expect(await refusal(parquetFile({ text: { ...text, meta: { 6: { long: 2 ** 31 } } } }))).toMatchObject({ code: 'PARQUET_TOO_LARGE' });
	});

	it('names the row whose text is not UTF-8', async () => {
		const body = Buffer.concat([plainTexts(['one']), Buffer.from([1, 0, 0, 0, 0xff])]);
		expect(await refusal(parquetFile({ text: { pages: [dataPage(body, 2)] } }))).toMatchObject({ code: 'NOT_UTF8', line: 2 });
	});

	// Every way to be cut, and seeded damage everywhere: rows, or an error of ours in time, never anything else.
	it.each(readdirSync(fixture('parquet')).filter((name) => name.endsWith('.parquet')))('survives any damage to %s', async (name) => {
		const whole = readFileSync(fixture(`parquet/${name}`));
		let seed = 1;
		const random = (below: number) => {
			seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
			return Math.floor(((seed >>> 0) / 2 ** 32) * below);
		};
		let refused = 0;
		let slowest = 0;
		const attempt = async (content: Buffer) => {
			const path = join(folder, 'damaged.parquet');
			writeFileSync(path, content);
			const started = process.cpuUsage();
			for (const labelColumn of ['number', 'gaps']) {
				try {
					for await (const _ of Dataset.fromParquet(path, { labelColumn }));
				} catch (error) {
					expect(error, (error as Error).stack).toBeInstanceOf(DataError);
					refused += 1;
				}
			}
			slowest = Math.max(slowest, process.cpuUsage(started).user);
		};
		for (let length = 0; length < whole.length; length += 97) await attempt(whole.subarray(0, length));
		for (let round = 0; round < 150; round++) {
			const damaged = Buffer.from(whole);
			for (let byte = 0; byte <= random(4); byte++) damaged[random(damaged.length)] = random(256);
			await attempt(damaged);
		}
		expect(refused).toBeGreaterThan(60);
		expect(slowest).toBeLessThan(2e6); // two readings
	});
});

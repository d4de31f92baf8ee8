import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { csvReader } from '../lib/data/csv.js';
import { readJson } from '../lib/data/json.js';
import { readJsonl } from '../lib/data/jsonl.js';
import type { RowReader } from '../lib/data/reading.js';
import { Dataset, type DatasetOptions } from '../lib/dataset.js';
import { DataError } from '../lib/errors.js';

let folder: string;
beforeAll(() => {
	folder = mkdtempSync(join(tmpdir(), 'distiltune-formats-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Uint8Array): string {
	const path = join(folder, name);
	mkdirSync(dirname(path), { recursive: true });
	writeFileSync(path, content);
	return path;
}

async function rowsOf(dataset: Dataset): Promise<{ text: string; label: unknown; line: number }[]> {
	const rows = [];
	for await (const { text, label, line } of dataset) rows.push({ text, label, line });
	return rows;
}

async function refusal(path: string, options: DatasetOptions = {}): Promise<DataError> {
	const error = await rowsOf(Dataset.from(path, options)).then(
		(rows) => expect.fail(`read ${rows.length} rows`),
		(reason: unknown) => reason,
	);
	expect(error).toBeInstanceOf(DataError);
	return error as DataError;
}

const two = [
	['fine', '0'],
	['bad', '1'],
];
const pairs = (rows: readonly { text: string; label: unknown }[]) => rows.map(({ text, label }) => [text, label]);

describe('CSV and TSV', () => {
	it('takes line breaks of every kind, mixed, and counts lines through them, quoted or not', async () => {
		const path = file('mixed.csv', '\r\ntext,label\r\n"a\r\nb",x\n\n\rc,y\r"d\re",z\r\nf,w');
		expect(await rowsOf(Dataset.from(path))).toEqual([
			{ text: 'a\r\nb', label: 'x', line: 3 },
			{ text: 'c', label: 'y', line: 7 },
			{ text: 'd\re', label: 'z', line: 8 },
			{ text: 'f', label: 'w', line: 10 },
		]);
	});

	it('reads TSV by its ending, also through fromCsv', async () => {
		const path = file('rows.tsv', 'label\ttext\n0\t"fi""ne, yes"\n1\tbad\n');
		const expected = [
			['fi"ne, yes', '0'],
			['bad', '1'],
		];
		expect(pairs(await rowsOf(Dataset.from(path)))).toEqual(expected);
		expect(pairs(await rowsOf(Dataset.fromCsv(path)))).toEqual(expected);
	});

	it.each([
		['semicolons.csv', 'text;label\na;b\n', 'semicolons'],
		['tabs.csv', 'text\tlabel\na\tb\n', 'name it .tsv'],
		['commas.tsv', 'text,label\na,b\n', 'name it .csv'],
	])('says by what the columns of %s seem to be parted', async (name, content, hint) => {
		const error = await refusal(file(name, content));
		expect(error).toMatchObject({ code: 'COLUMN_MISSING', line: 1 });
		expect(error.hint).toContain(hint);
	});

	it('refuses a million columns in a sentence of bearable length', async () => {
		const error = await refusal(file('wide.csv', `${'x,'.repeat(1e6)}\n`));
		expect(error).toMatchObject({ code: 'TOO_MANY_COLUMNS', line: 1 });
		const hundreds = await refusal(file('hundreds.csv', `${'a column with a long name,'.repeat(500)}\n`));
		expect(hundreds.message).toMatch(/ and 481 more$/);
	});

	it.each([
		['a workbook', Buffer.from([0x50, 0x4b, 3, 4, 20, 0, 0x80]), 'a zip archive or a workbook'],
		['gzip', gzipSync('text,label\na,b\n'), 'gzip'],
		['Parquet', Buffer.from([0x50, 0x41, 0x52, 0x31, 0x15, 0x80]), 'Parquet'],
	])('says that a file is %s by another name', async (_, content, kind) => {
		const error = await refusal(file('named.csv', content));
		expect(error).toMatchObject({ code: 'NOT_UTF8' });
		expect(error.message).toContain(`it begins like ${kind}`);
	});

	it('does not wait for a pipe nobody writes to', async () => {
		const path = join(folder, 'pipe.csv');
		if (spawnSync('mkfifo', [path]).status !== 0) return; // Windows has none
		expect(await refusal(path)).toMatchObject({ code: 'FILE_NOT_REGULAR' });
	});
});

describe('JSON', () => {
	it.each([
		['an array', '[{"text":"fine","label":0},\n {"text":"bad","label":1}]'],
		['an array in one line with spaces', ' [ {"text" : "fine", "label":"0", "more":[{"label":"]"}]} , {"label":1,"text":"bad"} ] \n'],
		['data in an object', '{"version":"[1","data":[{"text":"fine","label":0},{"text":"bad","label":1}],"after":{"data":[7]}}'],
		['data after other lists', '{"a":["data",[1,{"data":[2]}]],"b":"data","data":[{"text":"fine","label":0},{"text":"bad","label":1}]}'],
		['a byte order mark', '\ufeff[{"text":"fine","label":0},{"text":"bad","label":1}]'],
	])('reads two rows: %s', async (_, content) => {
		expect(pairs(await rowsOf(Dataset.from(file('rows.json', content))))).toEqual(two);
	});

	it('knows the line of each row', async () => {
		const content = '[\n{"text":"a\\nb",\n"label":0},\n\n{"text":"c","label":1}, {"text":"d","label":2}]';
		expect((await rowsOf(Dataset.from(file('lines.json', content)))).map(({ line }) => line)).toEqual([2, 5, 5]);
	});

	it.each([
		['JSON_INVALID', 'expected an array of rows, or an object with one under "data"', '{"rows":[]}', 1],
		['JSON_INVALID', 'expected an array of rows', '"text"', 1],
		['JSON_INVALID', 'expected an array of rows', '{"data":{"text":["a"]}}', 1],
		['JSON_INVALID', 'the document ends before its last bracket is closed', '[{"text":"a","label":0},\n{"text":"b"', 2],
		['JSON_INVALID', 'the document ends before', '[{"text":"a","label":0}', 1],
		['JSON_INVALID', 'the document ends before', '', undefined],
		['JSON_INVALID', 'expected the array of rows to end with ]', '[{"text":"a","label":0}}', 1],
		['JSON_INVALID', 'got nothing between two commas', '[{"text":"a","label":0},\n,]', 2],
		['JSON_INVALID', 'got nothing between two commas or after the last', '[{"text":"a","label":0},\n]', 2],
		['JSON_INVALID', 'something stands after the end', '[{"text":"a","label":0}]\n[]', 2],
		['JSON_INVALID', 'expected one JSON object, got "{\\"text\\":a}"', '[{"text":"a","label":0},\n{"text":a}]', 2],
		['JSON_INVALID', 'expected one JSON object, got "{} {}"', '[{} {}]', 1],
		['JSON_INVALID', 'expected one JSON object, got "7"', '[7]', 1],
		['COLUMN_MISSING', 'expected a column "label", found "text"', '[{"text":"a"}]', 1],
		['NO_ROWS', 'has no rows', '{"data":[]}', undefined],
	])('refuses with %s: %s', async (code, sentence, content, line) => {
		const error = await refusal(file('refused.json', content));
		if (content === '') return expect(error.code).toBe('FILE_EMPTY');
		expect(error).toMatchObject({ code, line });
		expect(error.message).toContain(sentence);
	});

	it('survives nesting of any depth and refuses a row beyond 16 MB', async () => {
		expect(await refusal(file('deep.json', `[${'['.repeat(1e6)}${']'.repeat(1e6)}]`))).toMatchObject({ code: 'JSON_INVALID' });
		expect(await refusal(file('open.json', `[{"text":"${'a'.repeat(17 * 2 ** 20)}`))).toMatchObject({ code: 'ROW_TOO_LONG', line: 1 });
	});
});

describe('Label Studio', () => {
	const choice = (from_name: string, ...choices: string[]) => ({ from_name, to_name: 'text', type: 'choices', value: { choices } });
	const task = (text: string, ...annotations: object[]) => ({ id: 1, data: { text, other: 1 }, annotations, predictions: [] });
	const exported = (...tasks: object[]) => file('export.json', JSON.stringify(tasks, undefined, 1));

	it('takes the choice of the first annotation that made one, the truth before others', async () => {
		const path = exported(
			task('plain', { result: [choice('sentiment', 'good')] }),
			task('second', { was_cancelled: true, result: [choice('sentiment', 'no')] }, { result: [] }, { result: [choice('sentiment', 'bad')] }),
			task('truth', { result: [choice('sentiment', 'bad')] }, { ground_truth: true, result: [choice('sentiment', 'good')] }),
			task('nobody'),
			task('spans', { result: [{ type: 'labels', value: { labels: ['x'] } }] }),
		);
		expect(pairs(await rowsOf(Dataset.from(path)))).toEqual([
			['plain', 'good'],
			['second', 'bad'],
			['truth', 'good'],
		]);
	});

	it('takes the control named like the label column, and asks for it where there are several', async () => {
		const path = exported(task('both', { result: [choice('topic', 'work'), choice('mood', 'good')] }));
		expect(pairs(await rowsOf(Dataset.from(path, { labelColumn: 'mood' })))).toEqual([['both', 'good']]);
		expect((await refusal(path)).message).toContain('expected one kind of choice or one named "label", found "topic", "mood"');
	});

	it('gives several choices as a list', async () => {
		const path = exported(task('many', { result: [choice('topic', 'work', 'play')] }));
		const rows = [];
		for await (const row of readJson(
			chunked('[{"data":{"text":"a"},"annotations":[{"result":[{"type":"choices","from_name":"t","value":{"choices":["x","y"]}}]}]}]', 7),
			{ text: 'text', label: 'label' },
			{ name: path, unit: 'Line' },
		))
			rows.push(row);
		expect(rows).toMatchObject([{ text: 'a', label: ['x', 'y'] }]);
	});

	it('says so where nobody labelled anything', async () => {
		expect((await refusal(exported(task('a'), task('b')))).message).toContain('has 2 tasks and no label on any');
		expect((await refusal(exported({ data: { post: 'x' }, annotations: [] }))).message).toContain('expected a column "text", found "post"');
	});
});

describe('a folder for each label', () => {
	const posts = () => join(folder, 'posts');
	beforeAll(() => {
		file('posts/bad/2.txt', 'second');
		file('posts/bad/10.txt', '\ufefffirst\n');
		file('posts/fine/a.TXT', '');
		file('posts/fine/b.txt.gz', gzipSync('packed'));
		file('posts/fine/notes.md', 'no text');
		file('posts/.hidden/x.txt', 'no');
		file('posts/readme.txt', 'no');
	});

	it('reads a row a file, in the order of names', async () => {
		const expected = [
			{ text: 'first\n', label: 'bad', line: 1 },
			{ text: 'second', label: 'bad', line: 2 },
			{ text: '', label: 'fine', line: 3 },
			{ text: 'packed', label: 'fine', line: 4 },
		];
		expect(await rowsOf(Dataset.from(posts()))).toEqual(expected);
		const dataset = Dataset.fromFolder(posts());
		expect(await rowsOf(dataset)).toEqual(expected);
		expect(dataset.fingerprint).toMatchObject({ source: posts(), rows: 4 });
	});

	it('names the file that is no text, and a folder without texts', async () => {
		const bad = file('broken/a/1.txt', Buffer.from([0x61, 0xff]));
		expect(await refusal(join(folder, 'broken'))).toMatchObject({ code: 'NOT_UTF8', file: bad, line: 1 });
		mkdirSync(join(folder, 'bare', 'label'), { recursive: true });
		expect(await refusal(join(folder, 'bare'))).toMatchObject({ code: 'NO_ROWS' });
		expect(() => Dataset.from(join(folder, 'nowhere'))).toThrow('to be a folder of labels or to end in one of');
	});
});

describe('gzip', () => {
	const contents: Readonly<Record<string, string>> = {
		csv: 'text,label\nfine,0\nbad,1\n',
		tsv: 'text\tlabel\nfine\t0\nbad\t1\n',
		jsonl: '{"text":"fine","label":0}\n{"text":"bad","label":1}\n',
		json: '[{"text":"fine","label":0},{"text":"bad","label":1}]',
	};
	it.each(Object.keys(contents))('is unpacked around .%s', async (ending) => {
		const content = contents[ending] as string;
		expect(pairs(await rowsOf(Dataset.from(file(`rows.${ending}.gz`, gzipSync(content)))))).toEqual(two);
		const half = content.length >> 1;
		const members = Buffer.concat([gzipSync(content.slice(0, half)), gzipSync(content.slice(half))]);
		expect(pairs(await rowsOf(Dataset.from(file(`members.${ending}.GZ`, members))))).toEqual(two);
	});

	it('refuses a bomb, a total beyond the cap, what is cut off and what is no gzip', async () => {
		const line = `${'the same '.repeat(7000)},x\n`;
		const bomb = file('bomb.csv.gz', gzipSync(`text,label\n${line.repeat(500)}`));
		expect(await refusal(bomb)).toMatchObject({ code: 'GZIP_RATIO', file: bomb });
		const whole = gzipSync(contents.csv as string);
		const path = file('whole.csv.gz', whole);
		expect(await refusal(path, { maxDecodedBytes: 10 })).toMatchObject({ code: 'DECODED_TOO_LARGE' });
		expect(await refusal(file('cut.csv.gz', whole.subarray(0, -9)))).toMatchObject({ code: 'GZIP_DAMAGED' });
		expect(await refusal(file('plain.csv.gz', contents.csv as string))).toMatchObject({ code: 'GZIP_DAMAGED' });
	});

	it('is told apart by the bytes that lie there', async () => {
		const dataset = Dataset.from(file('hashed.csv.gz', gzipSync(contents.csv as string)));
		await rowsOf(dataset);
		const plain = Dataset.from(file('hashed.csv', contents.csv as string));
		await rowsOf(plain);
		expect(dataset.fingerprint?.sha256).not.toBe(plain.fingerprint?.sha256);
	});
});

describe('dedupe', () => {
	it('keeps the first of rows that are the same to the letter, label and all, with their lines', async () => {
		const path = file('twice.csv', 'text,label\na,x\nb,x\na,x\na,y\nA,x\nb,x\n');
		const dataset = Dataset.from(path).dedupe();
		expect((await rowsOf(dataset)).map(({ line }) => line)).toEqual([2, 3, 5, 6]);
		expect(await rowsOf(dataset)).toEqual(await rowsOf(dataset));
		expect(await dataset.stats()).toMatchObject({ rows: 4, labels: { x: 3, y: 1 } });
	});
});

/** The bytes in pieces of `size`. */
async function* chunked(content: string, size: number): AsyncGenerator<Buffer> {
	const bytes = Buffer.from(content);
	for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

// Whatever a text or a label is, and wherever the portions of the file are cut, what was written is what is read, line included.
describe('what is written is what is read', () => {
	const anyText = fc.oneof(
		fc.string({ unit: 'binary' }),
		fc.string({ unit: fc.constantFrom('"', ',', '\t', '\n', '\r', ' ', '\\', '{', ']', 'é', '🙂', '\0', '\ufeff', 'a') }),
	);
	const rowsOfAnything = fc.array(fc.record({ text: anyText, label: anyText }), { minLength: 1, maxLength: 12 });
	const quote = (field: string) => `"${field.replaceAll('"', '""')}"`;
	const linesOf = (pieces: readonly string[]) =>
		pieces.map(
			(_, index) =>
				pieces
					.slice(0, index)
					.join('')
					.split(/\r\n|\r|\n/).length,
		);

	async function reads(reader: RowReader, pieces: readonly string[], rows: readonly { text: string; label: string }[], header: number, size: number) {
		const found = [];
		const kept: Uint8Array[] = [];
		const keep = { header: (bytes: Uint8Array) => void kept.push(bytes) };
		for await (const row of reader(chunked(pieces.join(''), size), { text: 'text', label: 'label' }, { name: 'rows', unit: 'Line' }, keep)) {
			if (row instanceof DataError) throw row;
			kept.push(row.original?.bytes ?? Buffer.alloc(0));
			found.push({ text: row.text, label: row.label, line: row.line });
		}
		const lines = linesOf(pieces).slice(header);
		expect(found).toEqual(rows.map(({ text, label }, index) => ({ text, label, line: lines[index] })));
		return Buffer.concat(kept).toString();
	}

	it.each([',', '\t'] as const)('as a table parted by %j, byte for byte', async (delimiter) => {
		await fc.assert(
			fc.asyncProperty(rowsOfAnything, fc.constantFrom('\n', '\r\n', '\r'), fc.integer({ min: 1, max: 50 }), async (rows, lineBreak, size) => {
				const table = [{ text: 'text', label: 'label' }, ...rows].map(({ text, label }) => quote(text) + delimiter + quote(label) + lineBreak);
				expect(await reads(csvReader(delimiter), table, rows, 1, size)).toBe(table.join(''));
			}),
			{ numRuns: 300, seed: 7 },
		);
	});

	it('as JSON lines, byte for byte', async () => {
		await fc.assert(
			fc.asyncProperty(rowsOfAnything, fc.constantFrom('\n', '\r\n'), fc.integer({ min: 1, max: 50 }), async (rows, lineBreak, size) => {
				const table = rows.map((row) => JSON.stringify(row) + lineBreak);
				expect(await reads(readJsonl, table, rows, 0, size)).toBe(table.join(''));
			}),
			{ numRuns: 300, seed: 7 },
		);
	});

	it('as JSON, indented or not', async () => {
		await fc.assert(
			fc.asyncProperty(rowsOfAnything, fc.constantFrom('', '\n', ' \r\n'), fc.integer({ min: 1, max: 50 }), async (rows, space, size) => {
				const pieces = rows.map((row, index) => `${JSON.stringify(row)}${space}${index === rows.length - 1 ? ']' : ','}${space}`);
				await reads(readJson, ['[', ...pieces], rows, 1, size);
			}),
			{ numRuns: 300, seed: 7 },
		);
	});
});

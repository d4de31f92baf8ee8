import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sortedLabels } from '../lib/data/labels.js';
import type { Row } from '../lib/data/row.js';
import { heldBack } from '../lib/data/split.js';
import { Dataset } from '../lib/dataset.js';
import { DataError } from '../lib/errors.js';
import { root } from './models.js';

let folder: string;
beforeAll(() => {
	folder = mkdtempSync(join(tmpdir(), 'distiltune-data-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Uint8Array): string {
	const path = join(folder, name);
	writeFileSync(path, content);
	return path;
}

async function rowsOf(dataset: Dataset): Promise<{ text: string; label: string; line: number }[]> {
	const rows = [];
	for await (const row of dataset) rows.push(row);
	return rows;
}

async function refusal(dataset: Dataset): Promise<DataError> {
	const error = await rowsOf(dataset).then(
		(rows) => expect.fail(`read ${rows.length} rows`),
		(reason: unknown) => reason,
	);
	expect(error).toBeInstanceOf(DataError);
	return error as DataError;
}

describe('CSV', () => {
	it.each([
		['plain', 'text,label\nfine,0\nbad,1\n'],
		['a byte order mark', '\ufefftext,label\nfine,0\nbad,1\n'],
		['CRLF', 'text,label\r\nfine,0\r\nbad,1\r\n'],
		['no line break at the end', 'text,label\nfine,0\nbad,1'],
		['blank lines', 'text,label\n\nfine,0\n\nbad,1\n\n'],
		['other columns and another order', 'id,label,text\n7,0,fine\n8,1,bad\n'],
		['quoted fields', '"text","label"\n"fine","0"\n"bad","1"\n'],
	])('reads two rows: %s', async (_, content) => {
		const rows = await rowsOf(Dataset.fromCsv(file('rows.csv', content)));
		expect(rows.map(({ text, label }) => [text, label])).toEqual([
			['fine', '0'],
			['bad', '1'],
		]);
	});

	it('keeps commas, quotes, line breaks and letters of any script inside quotes, and counts lines through them', async () => {
		const rows = await rowsOf(Dataset.fromCsv(file('quoted.csv', 'text,label\n"a, ""b""\nc 漢字 🙂",x\nd,y\n')));
		expect(rows).toEqual([
			{ text: 'a, "b"\nc 漢字 🙂', label: 'x', line: 2 },
			{ text: 'd', label: 'y', line: 4 },
		]);
	});

	it('takes a file URL and other names of columns', async () => {
		const url = pathToFileURL(file('named.csv', 'post,class\nhi,a\n'));
		expect(await rowsOf(Dataset.fromCsv(url, { textColumn: 'post', labelColumn: 'class' }))).toEqual([{ text: 'hi', label: 'a', line: 2 }]);
	});

	it('reads characters that lie across the boundary of two portions', async () => {
		const text = '🙂'.repeat(60_001);
		expect(await rowsOf(Dataset.fromCsv(file('wide.csv', `text,label\na${text},x\n`)))).toEqual([{ text: `a${text}`, label: 'x', line: 2 }]);
	});

	it('names the row of an open quote whatever was read before it', async () => {
		const path = file('late-quote.csv', `text,label\n${'a,b\n'.repeat(2000)}"c,d\n${'e,f\n'.repeat(500)}`);
		expect(await refusal(Dataset.fromCsv(path))).toMatchObject({ code: 'QUOTE_NOT_CLOSED', line: 2002 });
	});

	it('keeps NUL bytes of a text for the tokenizer to leave out', async () => {
		expect((await rowsOf(Dataset.fromCsv(file('nul.csv', 'text,label\na\0b,x\n'))))[0]?.text).toBe('a\0b');
	});

	it.each([
		['FILE_EMPTY', 'is empty', '', undefined],
		['FILE_EMPTY', 'nothing but blank lines', '\n\n', undefined],
		['NO_ROWS', 'has a header and no rows', 'text,label\n', undefined],
		['COLUMN_MISSING', 'Line 1 of FILE: expected a column "text", found "tweet", "label"', 'tweet,label\na,b\n', 1],
		['COLUMN_MISSING', 'expected columns "text", "label", found "a"', 'a\nb\n', 1],
		['COLUMN_TWICE', 'the column "text" stands there twice', 'text,text,label\na,b,c\n', 1],
		['FIELD_COUNT', 'Line 3 of FILE: expected 2 fields as in the header, got 1', 'text,label\na,b\nc\n', 3],
		['FIELD_COUNT', 'Line 4 of FILE: expected 2 fields as in the header, got 3', 'text,label\n"a\nb",c\nd,e,f\n', 4],
		['QUOTE_NOT_CLOSED', 'Line 3 of FILE: a double quote opens in this row and is never closed', 'text,label\na,b\n"c,d\ne,f\n', 3],
		['QUOTE_MISPLACED', 'Line 3 of FILE: a double quote stands inside a field', 'text,label\na,b\nc "d",e\n', 3],
		['LABEL_INVALID', 'Line 2 of FILE: the label is empty', 'text,label\na,\n', 2],
		['LABEL_INVALID', 'holds a NUL byte', 'text,label\na,b\0\n', 2],
	])('refuses with %s: %s', async (code, sentence, content, line) => {
		const path = file('refused.csv', content);
		const error = await refusal(Dataset.fromCsv(path));
		expect(error).toMatchObject({ code, file: path, line });
		expect(error.message).toContain(sentence.replace('FILE', path));
	});

	it('names the byte where a file is not UTF-8', async () => {
		const head = Buffer.from('text,label\ncafé,x\ncaf');
		const error = await refusal(Dataset.fromCsv(file('latin.csv', Buffer.concat([head, Buffer.from([0xe9]), Buffer.from(',y\n')]))));
		expect(error).toMatchObject({ code: 'NOT_UTF8', details: { offset: head.length } });
		expect(error.hint).toContain('iconv');
	});

	it('names the byte far into a long file, and where the file ends inside a character', async () => {
		const head = Buffer.from(`text,label\n${'é'.repeat(100_000)},x\n`);
		expect(await refusal(Dataset.fromCsv(file('late.csv', Buffer.concat([head, Buffer.from([0xc3, 0x28])]))))).toMatchObject({
			details: { offset: head.length },
		});
		expect(await refusal(Dataset.fromCsv(file('cut.csv', Buffer.concat([head, Buffer.from([0xe2, 0x82])]))))).toMatchObject({
			details: { offset: head.length },
		});
	});

	it('says that a file is UTF-16', async () => {
		const error = await refusal(Dataset.fromCsv(file('wide16.csv', Buffer.from('\ufefftext,label\na,b\n', 'utf16le'))));
		expect(error.message).toContain('begins like UTF-16');
	});

	it('refuses a row beyond 16 MB, where a quote was left open', async () => {
		const error = await refusal(Dataset.fromCsv(file('endless.csv', `text,label\n"${'a\n'.repeat(9 * 2 ** 20)}`)));
		expect(error).toMatchObject({ code: 'ROW_TOO_LONG', line: 2 });
	});

	it('reads a text of 1 MB', async () => {
		expect((await rowsOf(Dataset.fromCsv(file('long.csv', `text,label\n${'word '.repeat(2 ** 18)},x\n`))))[0]?.text).toHaveLength(5 * 2 ** 18);
	});
});

describe('JSON lines', () => {
	it('reads labels of every kind, past blank lines and CRLF', async () => {
		const path = file('kinds.jsonl', '{"text":"a","label":1}\r\n\r\n{"text":"b","label":true}\n{"label":"z","text":"c\\nd","more":[1]}');
		expect(await rowsOf(Dataset.fromJsonl(path))).toEqual([
			{ text: 'a', label: '1', line: 1 },
			{ text: 'b', label: 'true', line: 3 },
			{ text: 'c\nd', label: 'z', line: 4 },
		]);
	});

	it.each([
		['JSON_INVALID', 'expected one JSON object', '{"text":"a","label":1}\n{"text":"b"', 2],
		['JSON_INVALID', 'expected one JSON object, got "[1]"', '[1]', 1],
		['COLUMN_MISSING', 'expected a column "label", found "text", "class"', '{"text":"a","class":1}', 1],
		['TEXT_INVALID', 'expected the text to be a string, got 5', '{"text":5,"label":1}', 1],
		['LABEL_INVALID', 'got null', '{"text":"a","label":null}', 1],
		['LABEL_INVALID', 'got a list', '{"text":"a","label":[[1]]}', 1],
		['NO_ROWS', 'has no rows', '\n\n', undefined],
	])('refuses with %s: %s', async (code, sentence, content, line) => {
		const error = await refusal(Dataset.fromJsonl(file('refused.jsonl', content)));
		expect(error).toMatchObject({ code, line });
		expect(error.message).toContain(sentence);
	});

	it('takes a key named like a property of every object for an ordinary key', async () => {
		expect((await refusal(Dataset.fromJsonl(file('proto.jsonl', '{"text":"a","__proto__":{"label":"x"}}')))).code).toBe('COLUMN_MISSING');
	});
});

describe('any data', () => {
	it('refuses what is missing, a folder, or of no known ending', async () => {
		expect(await refusal(Dataset.from(join(folder, 'none.csv')))).toMatchObject({ code: 'FILE_NOT_FOUND' });
		expect(await refusal(Dataset.fromCsv(folder))).toMatchObject({ code: 'FILE_NOT_REGULAR' });
		expect(() => Dataset.from('rows.xlsx')).toThrow(
			'Expected rows.xlsx to be a folder of labels or to end in one of .csv, .tsv, .jsonl, .ndjson, .json, .parquet, with or without .gz, got .xlsx',
		);
	});

	it('walks an array, a generator and an async generator again and again', async () => {
		const rows: Row[] = [
			{ text: 'a', label: 0 },
			{ text: 'b', label: 1 },
		];
		const sources = [
			rows,
			rows.values(),
			(async function* () {
				yield* rows;
			})(),
		];
		for (const source of sources) {
			const dataset = Dataset.fromArray(source);
			expect(await rowsOf(dataset)).toEqual(await rowsOf(dataset));
			expect(dataset.fingerprint).toMatchObject({ source: 'rows in memory', rows: 2 });
		}
	});

	it('names the row where one from memory is none', async () => {
		const rows = [{ text: 'a', label: 'x' }, { text: 'b' }] as unknown as Row[];
		expect((await refusal(Dataset.fromArray(rows))).message).toBe(
			'Row 2 of rows in memory: expected the label to be a string, a number or true or false, got nothing',
		);
		expect(await refusal(Dataset.fromArray([]))).toMatchObject({ code: 'NO_ROWS' });
	});

	it('fingerprints a file by its bytes', async () => {
		const content = '\ufefftext,label\na,b\n';
		const dataset = Dataset.fromCsv(file('hashed.csv', content));
		expect(dataset.fingerprint).toBeUndefined();
		await rowsOf(dataset);
		expect(dataset.fingerprint?.sha256).toBe(createHash('sha256').update(content).digest('hex'));
	});

	it('counts the embedded posts as their README does', async () => {
		const stats = await Dataset.fromCsv(join(root, 'examples', 'depression', 'train.csv')).stats();
		expect(stats).toMatchObject({ rows: 5000, labels: { control: 2542, depression: 2458 }, emptyTexts: 0 });
	});
});

describe('labels', () => {
	it.each([
		[
			['10', '9', '-1', '0'],
			['-1', '0', '9', '10'],
		],
		[
			['10', '9', '01'],
			['01', '10', '9'],
		],
		[
			['10', '9', '1.0'],
			['1.0', '10', '9'],
		],
		[
			['true', 'false'],
			['false', 'true'],
		],
		[
			['b', 'B', 'é', 'a', 'b'],
			['B', 'a', 'b', 'é'],
		],
		[
			['9007199254740993', '9007199254740992'],
			['9007199254740992', '9007199254740993'],
		],
	])('sorts %j to %j', (labels, sorted) => {
		expect(sortedLabels(labels)).toEqual(sorted);
	});
});

describe('split', () => {
	const labels = [...Array(70).fill('a'), ...Array(20).fill('b'), ...Array(10).fill('c')] as string[];
	const order = Int32Array.from({ length: 100 }, (_, index) => (index * 37) % 100);
	const countsOf = (held: Uint8Array) => ['a', 'b', 'c'].map((label) => labels.filter((each, row) => each === label && held[row] === 1).length);

	it('holds back the share of every label', () => {
		expect(countsOf(heldBack(labels, order, { test: 0.1 }))).toEqual([7, 2, 1]);
		expect(countsOf(heldBack(labels, order, { test: 0.25 }))).toEqual([18, 5, 2]);
	});

	it('takes the first of the permutation where labels do not matter', () => {
		const held = heldBack(labels, order, { test: 0.25, stratify: false });
		expect([...held.keys()].filter((row) => held[row] === 1)).toEqual([...order.subarray(0, 25)].sort((a, b) => a - b));
	});

	it('leaves each label at least one row to learn from', () => {
		expect(heldBack(['a', 'b'], Int32Array.of(0, 1), { test: 0.9 }).reduce((sum, flag) => sum + flag, 0)).toBe(0);
		expect(countsOf(heldBack(labels, order, { test: 0.99 }))).toEqual([69, 19, 9]);
	});

	it('cuts alike for the same seed and otherwise for another, and loses no row', async () => {
		const rows = labels.map((label, row) => ({ text: `text ${row}`, label }));
		const texts = async (seed: number) => {
			const { train, test } = await Dataset.fromArray(rows).split({ test: 0.2, seed });
			return { train: (await rowsOf(train)).map(({ text }) => text), test: (await rowsOf(test)).map(({ text }) => text) };
		};
		const first = await texts(7);
		expect(await texts(7)).toEqual(first);
		expect((await texts(8)).test).not.toEqual(first.test);
		expect([...first.train, ...first.test].sort()).toEqual(rows.map(({ text }) => text).sort());
		await expect(Dataset.fromArray(rows).split({ test: 1 })).rejects.toThrow('Expected `test` to be a share between 0 and 1, got 1');
	});
});

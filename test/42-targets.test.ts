import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Label } from '../lib/data/row.js';
import { Dataset, type DatasetOptions } from '../lib/dataset.js';
import type { ProblemType } from '../lib/model/config.js';
import { targetReader } from '../lib/train/targets.js';

let folder: string;
beforeAll(() => {
	folder = mkdtempSync(join(tmpdir(), 'distiltune-targets-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string, options: DatasetOptions = {}): Dataset {
	const path = join(folder, name);
	writeFileSync(path, content);
	return Dataset.from(path, options);
}
const memory = (...labels: unknown[]) => Dataset.fromArray(labels.map((label) => ({ text: 't', label: label as Label })));

async function read(problemType: ProblemType, dataset: Dataset, labels?: readonly string[]) {
	const reader = targetReader(problemType, dataset, labels);
	for await (const row of dataset) reader.add(row);
	return reader.settle();
}

describe('several labels a row', () => {
	const multi = (dataset: Dataset, labels?: readonly string[]) => read('multi_label_classification', dataset, labels);
	const marks = { labels: ['a', 'b', 'c'], targets: Float32Array.of(0, 1, 1, 0, 0, 0, 1, 0, 0) };

	it('are lists in memory and in JSON lines, an empty one holding none', async () => {
		expect(await multi(memory(['c', 'b'], [], ['a']))).toEqual(marks);
		const jsonl = file('lists.jsonl', '{"text":"t","label":["c","b"]}\n{"text":"t","label":[]}\n{"text":"t","label":["a"]}\n');
		expect(await multi(jsonl)).toEqual(marks);
	});

	it('are one text of a CSV file, parted by what was agreed', async () => {
		expect(await multi(file('bars.csv', 'text,label\nt,c | b\nt,\nt,a\n', { labelSeparator: '|' }))).toEqual(marks);
		expect(await multi(file('commas.csv', 'text,label\nt,"c,b"\nt,""\nt,a\n', { labelSeparator: ',' }))).toEqual(marks);
	});

	it('may be numbers, and are then sorted as numbers', async () => {
		expect(await multi(memory([10, 2], [9], 2))).toEqual({ labels: ['2', '9', '10'], targets: Float32Array.of(1, 0, 1, 0, 1, 0, 1, 0, 0) });
	});

	it('keep the order they were given', async () => {
		expect(await multi(memory(['a'], ['c', 'a']), ['c', 'b', 'a'])).toEqual({
			labels: ['c', 'b', 'a'],
			targets: Float32Array.of(0, 0, 1, 1, 0, 1),
		});
	});

	it.each([
		['one that is not among those given', [['a'], ['a', 'x']], 'LABEL_UNKNOWN', 'Row 2 of rows in memory: label "x" is not one of a, b'],
		['one twice in a row', [['a', 'b', 'a']], 'LABEL_INVALID', 'Row 1 of rows in memory: the label "a" stands there twice'],
		['marks of 0 and 1', [[0, 1, 1]], 'LABEL_INVALID', 'the label "1" stands there twice'],
		['an empty one', [['a', '']], 'LABEL_INVALID', 'Row 1 of rows in memory: the label is empty'],
		['a list in a list', [[['a']]], 'LABEL_INVALID', 'got a list'],
		['nothing', [['a'], undefined], 'LABEL_INVALID', 'Row 2 of rows in memory: expected the label to be'],
	])('are refused: %s', async (_, labels, code, sentence) => {
		await expect(multi(memory(...labels), ['a', 'b'])).rejects.toMatchObject({ name: 'DataError', code, message: expect.stringContaining(sentence) });
	});

	it('are refused where a part of the text is empty, and where there are fewer than two in all', async () => {
		const parted = file('hole.csv', 'text,label\nt,a||b\n', { labelSeparator: '|' });
		await expect(multi(parted)).rejects.toMatchObject({ code: 'LABEL_INVALID', line: 2 });
		await expect(multi(memory([], []))).rejects.toMatchObject({ code: 'ONE_CLASS', message: expect.stringContaining('found none') });
		await expect(multi(memory(['a'], []))).rejects.toMatchObject({ code: 'ONE_CLASS' });
	});

	it('are counted each, and stay lists when rows are split', async () => {
		const rows = memory(...Array.from({ length: 10 }, (_, row) => (row % 2 === 0 ? ['a', 'b'] : [])));
		expect((await rows.stats()).labels).toEqual({ a: 5, b: 5 });
		const { train, test } = await rows.split({ test: 0.2 });
		expect((await train.stats()).labels).toEqual({ a: 4, b: 4 });
		expect(await multi(test)).toEqual({
			labels: ['a', 'b'],
			targets: expect.toSatisfy((targets) => targets.join() === '1,1,0,0' || targets.join() === '0,0,1,1'),
		});
	});
});

describe('one label a row', () => {
	const single = (dataset: Dataset, labels?: readonly string[]) => read('single_label_classification', dataset, labels);

	it('is a class', async () => {
		expect(await single(memory('b', true, 'b'))).toEqual({ labels: ['b', 'true'], targets: Int32Array.of(0, 1, 0) });
	});

	it('is not a list, and what to do then is said', async () => {
		await expect(single(memory('a', ['a', 'b']))).rejects.toMatchObject({
			code: 'LABEL_INVALID',
			message: 'Row 2 of rows in memory: expected one label, got the list ["a","b"]',
			hint: expect.stringContaining('multi_label_classification'),
		});
	});

	it('may hold the bar that parts several', async () => {
		expect((await single(file('bar.csv', 'text,label\nt,a|b\nt,c\n'))).labels).toEqual(['a|b', 'c']);
	});
});

describe('a number a row', () => {
	const numbers = (dataset: Dataset) => read('regression', dataset, undefined);

	it('is a float, under the one label Transformers has for it', async () => {
		const values = { labels: ['LABEL_0'], targets: Float32Array.of(1.5, -2, 0.1, 1e-3) };
		expect(await numbers(memory(1.5, -2, '0.1', '1e-3'))).toEqual(values);
		expect(await numbers(file('numbers.csv', 'text,label\nt,1.5\nt, -2\nt,0.1\nt,1e-3\n'))).toEqual(values);
	});

	it.each([['many'], [true], ['1,5'], [' '], ['1e39'], [[1]], ['NaN']])('is refused: %j', async (label) => {
		await expect(numbers(memory(label))).rejects.toMatchObject({
			code: 'LABEL_INVALID',
			message: expect.stringContaining('Row 1 of rows in memory: expected the label to be a number, got'),
		});
	});
});

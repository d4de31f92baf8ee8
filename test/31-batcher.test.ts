import { describe, expect, test } from 'vitest';
import { askAll, askOneByOne } from '../lib/classify/ask.js';
import { Batcher, type Model } from '../lib/classify/batcher.js';
import type { ScoredText } from '../lib/classify/line.js';
import { Queue } from '../lib/classify/queue.js';
import { raggedOf, windowsOf } from '../lib/classify/windows.js';

// A model that answers when it is told to. A text is numbers; [CLS] is 1, [SEP] is 2; a row's one logit is the sum of its ids.

class Fake implements Model {
	readonly batches: number[][][] = [];
	readonly encodings: string[][] = [];
	readonly #waiting: (() => void)[] = [];

	async encode(texts: readonly string[], maxLength: number) {
		this.encodings.push([...texts]);
		if (texts.includes('bad')) throw new Error('cannot be encoded');
		const rows = texts.map((text) => [1, ...text.split(' ').map(Number), 2]);
		const cut = rows.map((row) => (maxLength > 0 && row.length > maxLength ? [...row.slice(0, maxLength - 1), 2] : row));
		const offsets = [0];
		for (const row of cut) offsets.push((offsets.at(-1) as number) + row.length);
		const truncated = Uint8Array.from(rows, (row, i) => Number(row.length > (cut[i] as number[]).length));
		return { ids: Int32Array.from(cut.flat()), offsets: Int32Array.from(offsets), truncated };
	}

	logits({ ids, offsets }: { ids: Int32Array; offsets: Int32Array }) {
		const rows = Array.from(offsets.subarray(1), (end, row) => Array.from(ids.subarray(offsets[row], end)));
		this.batches.push(rows);
		return new Promise<Float32Array>((resolve, reject) => {
			this.#waiting.push(() => {
				if (ids.includes(666)) reject(new Error('cannot be classified'));
				else resolve(Float32Array.from(rows, (row) => row.reduce((a, b) => a + b)));
			});
		});
	}

	/** Ends the batch under way; gives the next, once there is one. */
	async finish(): Promise<void> {
		this.#waiting.shift()?.();
		await settled();
	}

	async finishAll(): Promise<void> {
		await settled();
		while (this.#waiting.length > 0) await this.finish();
	}
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 2));
const text = (tokens: number, id: number) => Array.from({ length: tokens - 2 }, () => id).join(' ');
const reading = { maxLength: 100 };
const sum = ({ logits }: ScoredText) => logits[0];
/** The second id of each row tells whose it is. */
const owners = (batch: readonly (readonly number[])[] | undefined) => batch?.map((row) => row[1]);

function batcherOf(maxBatchTokens: number, maxWaitMs = 0) {
	const model = new Fake();
	const batcher = new Batcher(model, { maxBatchTokens, maxWaitMs });
	const ask = (texts: string[], more: object = {}, signal?: AbortSignal) =>
		askAll(batcher, texts, { reading: { ...reading, ...more }, answer: sum }, signal);
	return { model, batcher, ask };
}

describe('batches', () => {
	test('calls of one moment go together, and each gets its own answers in its order', async () => {
		const { model, ask } = batcherOf(100);
		const results = Promise.all([ask(['10', '11']), ask(['20']), ask(['30', '31', '32'])]);
		await model.finishAll();
		expect(await results).toEqual([[13, 14], [23], [33, 34, 35]]);
		expect(model.encodings).toHaveLength(1);
		expect(model.batches).toHaveLength(1);
	});

	test('a call that comes while a long list is under way is in the very next batch', async () => {
		const { model, ask } = batcherOf(20);
		const list = ask(Array.from({ length: 50 }, () => text(5, 7)));
		await settled();
		expect(owners(model.batches[0])).toEqual([7, 7, 7, 7]);
		const single = ask([text(5, 8)]);
		await settled();
		expect(model.batches).toHaveLength(1); // one under way
		await model.finish();
		expect(owners(model.batches[1])).toEqual([7, 8, 7, 7]);
		await model.finish();
		expect(await single).toEqual([3 + 3 * 8]);
		expect(model.batches).toHaveLength(3);
		await model.finishAll();
		expect(await list).toHaveLength(50);
	});

	test('callers take turns row by row, and those left out of a full batch come first in the next', async () => {
		const { model, ask } = batcherOf(15);
		const all = Promise.all([3, 4, 5, 6].map((id) => ask([text(5, id), text(5, id)])));
		await model.finishAll();
		await all;
		expect(model.batches.map(owners)).toEqual([
			[3, 4, 5],
			[6, 3, 4],
			[5, 6],
		]);
	});

	test('a row longer than a batch goes alone', async () => {
		const { model, ask } = batcherOf(10);
		const results = ask([text(4, 3), text(30, 4), text(4, 5)]);
		await model.finishAll();
		expect(model.batches.map(owners)).toEqual([[3], [4], [5]]);
		expect(await results).toEqual([9, 3 + 28 * 4, 13]);
	});

	test('a long list is encoded little ahead of what is classified', async () => {
		const { model, ask } = batcherOf(100);
		const results = ask(Array.from({ length: 5000 }, () => text(10, 3)));
		await settled();
		expect(model.encodings.flat()).toHaveLength(256);
		await model.finish();
		expect(model.encodings.flat()).toHaveLength(256); // a batch lies ready
		await model.finishAll();
		expect(model.encodings.flat()).toHaveLength(5000);
		expect(await results).toHaveLength(5000);
	});

	test('calls that are cut otherwise, or made under another head, share no encoding or no batch', async () => {
		const { model, ask } = batcherOf(100);
		const head = { weight: new Float32Array(), bias: new Float32Array() };
		const results = Promise.all([ask(['3 3 3 3']), ask(['4 4 4 4'], { maxLength: 4 }), ask(['5'], { head }), ask(['6'])]);
		await model.finishAll();
		expect(await results).toEqual([[15], [11], [8], [9]]);
		expect(model.encodings.map((texts) => texts.length).sort()).toEqual([1, 3]);
		expect(model.batches.filter((batch) => owners(batch)?.includes(5))).toEqual([[[1, 5, 2]]]);
	});

	test('what fails takes the calls of its batch with it and no other', async () => {
		const { model, ask } = batcherOf(6);
		const results = Promise.allSettled([ask(['3', '666', '3']), ask(['4', '4']), ask(['5'])]);
		await model.finishAll();
		expect((await results).map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected']);
		const encoded = Promise.allSettled([ask(['bad'])]);
		await model.finishAll();
		expect((await encoded)[0]).toMatchObject({ status: 'rejected', reason: { message: 'cannot be encoded' } });
		const after = ask(['3']);
		await model.finishAll();
		expect(await after).toEqual([6]);
	});
});

describe('maxWaitMs', () => {
	test('a batch that is not full waits for company, and no longer', async () => {
		const { model, ask } = batcherOf(100, 50);
		const started = performance.now();
		const first = ask(['3']);
		await settled();
		const second = ask(['4']);
		await settled();
		expect(model.batches).toHaveLength(0);
		while (model.batches.length === 0) await settled();
		// Timers of Node fire up to one millisecond early.
		expect(performance.now() - started).toBeGreaterThan(48);
		expect(owners(model.batches[0])).toEqual([3, 4]);
		await model.finishAll();
		expect(await Promise.all([first, second])).toEqual([[6], [7]]);
	});

	test('a full batch goes at once', async () => {
		const { model, ask } = batcherOf(6, 60_000);
		const results = [ask(['3'])];
		await settled();
		expect(model.batches).toHaveLength(0);
		results.push(ask(['4']));
		await settled();
		expect(owners(model.batches[0])).toEqual([3, 4]);
		await model.finishAll();
		await Promise.all(results);
	});

	test('the wait ends where nobody is left to wait for', async () => {
		const { model, ask } = batcherOf(100, 60_000);
		const controller = new AbortController();
		const call = ask(['3'], {}, controller.signal);
		await settled();
		controller.abort();
		await expect(call).rejects.toMatchObject({ code: 'ABORTED' });
		await settled();
		expect(model.batches).toHaveLength(0);
		// A timer left behind would hold up the process for a minute.
		expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length).toBeLessThan(2);
	});
});

describe('an abort', () => {
	test('rejects at once, drops what waits and leaves others alone', async () => {
		const { model, ask } = batcherOf(6);
		const controller = new AbortController();
		const stopped = ask(
			Array.from({ length: 30 }, () => '3'),
			{},
			controller.signal,
		);
		const other = ask(['4', '4', '4']);
		await settled();
		controller.abort('enough');
		await expect(stopped).rejects.toMatchObject({ name: 'AbortError', code: 'ABORTED', cause: 'enough' });
		expect(model.batches).toHaveLength(1); // still under way
		await model.finishAll();
		expect(await other).toEqual([7, 7, 7]);
		expect(model.batches.slice(1).map(owners)).toEqual([[4, 4]]);
	});

	test('of one at a time rejects what was asked and not answered', async () => {
		const { model, batcher } = batcherOf(3);
		const { ask, drop } = askOneByOne(batcher, { reading, answer: sum });
		const [first, second] = [ask('3'), ask('4')];
		second.catch(() => {});
		await settled();
		await model.finish();
		expect(await first).toBe(6);
		drop();
		await expect(second).rejects.toMatchObject({ code: 'ABORTED' });
		await expect(ask('5')).rejects.toMatchObject({ code: 'ABORTED' });
		await model.finishAll();
	});
});

describe('windows', () => {
	const ids = (count: number) => Int32Array.from({ length: count }, (_, i) => (i === 0 ? 101 : i === count - 1 ? 102 : i));
	const rows = (count: number, maxLength: number, stride: number) => {
		const { ids: all, offsets } = raggedOf(windowsOf(ids(count), 0, count, maxLength, stride));
		return Array.from(offsets.subarray(1), (end, row) => Array.from(all.subarray(offsets[row], end)));
	};

	test('a text that fits is one row as it is', () => {
		expect(rows(6, 6, 2)).toEqual([[101, 1, 2, 3, 4, 102]]);
		expect(rows(2, 6, 2)).toEqual([[101, 102]]);
	});

	test('a longer one is cut with the overlap, each window framed, the last as short as it comes', () => {
		expect(rows(9, 6, 1)).toEqual([
			[101, 1, 2, 3, 4, 102],
			[101, 4, 5, 6, 7, 102],
		]);
		expect(rows(9, 6, 0)).toEqual([
			[101, 1, 2, 3, 4, 102],
			[101, 5, 6, 7, 102],
		]);
		expect(rows(8, 5, 2)).toEqual([
			[101, 1, 2, 3, 102],
			[101, 2, 3, 4, 102],
			[101, 3, 4, 5, 102],
			[101, 4, 5, 6, 102],
		]);
	});

	// transformers 5.23.0: tokenizer(text, max_length, truncation=True, stride, return_overflowing_tokens=True).
	test.each<[number, number, number[][]]>([
		[
			10,
			0,
			[
				[2, 130, 105, 80, 258, 16, 75, 86, 80, 3],
				[2, 46, 587, 316, 18, 51, 551, 48, 436, 3],
				[2, 140, 5, 3],
			],
		],
		[
			10,
			3,
			[
				[2, 130, 105, 80, 258, 16, 75, 86, 80, 3],
				[2, 75, 86, 80, 46, 587, 316, 18, 51, 3],
				[2, 316, 18, 51, 551, 48, 436, 140, 5, 3],
			],
		],
		[
			8,
			5,
			[
				[2, 130, 105, 80, 258, 16, 75, 3],
				[2, 105, 80, 258, 16, 75, 86, 3],
				[2, 80, 258, 16, 75, 86, 80, 3],
				[2, 258, 16, 75, 86, 80, 46, 3],
				[2, 16, 75, 86, 80, 46, 587, 3],
				[2, 75, 86, 80, 46, 587, 316, 3],
				[2, 86, 80, 46, 587, 316, 18, 3],
				[2, 80, 46, 587, 316, 18, 51, 3],
				[2, 46, 587, 316, 18, 51, 551, 3],
				[2, 587, 316, 18, 51, 551, 48, 3],
				[2, 316, 18, 51, 551, 48, 436, 3],
				[2, 18, 51, 551, 48, 436, 140, 3],
				[2, 51, 551, 48, 436, 140, 5, 3],
			],
		],
		[
			7,
			1,
			[
				[2, 130, 105, 80, 258, 16, 3],
				[2, 16, 75, 86, 80, 46, 3],
				[2, 46, 587, 316, 18, 51, 3],
				[2, 51, 551, 48, 436, 140, 3],
				[2, 140, 5, 3],
			],
		],
	])('of %i tokens that share %i are those of Transformers', (maxLength, stride, wanted) => {
		const ids = Int32Array.from([2, 130, 105, 80, 258, 16, 75, 86, 80, 46, 587, 316, 18, 51, 551, 48, 436, 140, 5, 3]);
		const { ids: all, offsets } = raggedOf(windowsOf(ids, 0, ids.length, maxLength, stride));
		expect(Array.from(offsets.subarray(1), (end, row) => Array.from(all.subarray(offsets[row], end)))).toEqual(wanted);
	});

	test('every window of a text is answered under its own place', async () => {
		const model = new Fake();
		const batcher = new Batcher(model, { maxBatchTokens: 10, maxWaitMs: 0 });
		const results = askAll(batcher, ['3 4 5 6 7', '8'], { reading: { maxLength: 5, stride: 1 }, answer: (scored) => scored }, undefined);
		await model.finishAll();
		expect(await results).toEqual([
			{ logits: Float32Array.of(3 + 12, 3 + 18), windows: 2, truncated: false, tokens: 7 },
			{ logits: Float32Array.of(11), windows: 1, truncated: false, tokens: 3 },
		]);
	});
});

test('a queue gives what it was given, in order, and forgets what it gave', () => {
	const queue = new Queue([0, 1]);
	const taken: (number | undefined)[] = [];
	for (let i = 2; i < 2000; i++) {
		queue.push(i);
		if (i % 3 > 0) taken.push(queue.take());
	}
	expect(queue.length).toBe(2000 - taken.length);
	while (queue.length > 0) {
		expect(queue.first).toBe(taken.length);
		taken.push(queue.take());
	}
	expect(taken).toEqual(Array.from({ length: 2000 }, (_, i) => i));
	expect(queue.take()).toBeUndefined();
});

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Classifier } from '../lib/index.js';
import { fixture } from './models.js';

const tiny = fixture('tiny-model');
let classifier: Classifier;
beforeAll(async () => {
	classifier = await Classifier.load(tiny, { maxBatchTokens: 64 });
});
afterAll(() => classifier.dispose());

const textOf = (i: number) => `I feel ${'so '.repeat(i % 7)}fine ${i}`;
const pause = (ms = 0) => new Promise((resolve) => setTimeout(resolve, ms));

/** Texts without end, and what became of them. */
function source(more: { upTo?: number; fail?: unknown; pauseAt?: number } = {}) {
	const seen = { given: 0, returned: false };
	async function* texts() {
		try {
			for (let i = 0; i < (more.upTo ?? Number.POSITIVE_INFINITY); i++) {
				if (i === more.pauseAt) await new Promise(() => {});
				if (i % 10 === 0) await pause();
				seen.given += 1;
				yield textOf(i);
			}
			if (more.fail !== undefined) throw more.fail;
		} finally {
			seen.returned = true;
		}
	}
	return { texts: texts(), seen };
}

async function collect<T>(items: AsyncIterable<T>, into: T[] = []): Promise<T[]> {
	for await (const item of items) into.push(item);
	return into;
}

describe('answers', () => {
	test('come in the order of the texts and are those of predict', async () => {
		const texts = Array.from({ length: 500 }, (_, i) => textOf(i));
		const wanted = await classifier.predict(texts);
		expect(await collect(classifier.stream(source({ upTo: 500 }).texts))).toEqual(wanted);
		expect(await collect(classifier.stream(texts))).toEqual(wanted);
		expect(await collect(classifier.stream([]))).toEqual([]);
		const topK = await collect(classifier.stream(texts.slice(0, 3), { topK: 2, maxLength: 8 }));
		expect(topK).toEqual(await classifier.predict(texts.slice(0, 3), { topK: 2, maxLength: 8 }));
	});

	test('of several streams and calls at once do not disturb each other', async () => {
		const texts = Array.from({ length: 200 }, (_, i) => textOf(i));
		const wanted = await classifier.predict(texts);
		const all = await Promise.all([
			...[1, 2, 3].map(() => collect(classifier.stream(texts))),
			classifier.predict(texts),
			...texts.map((text) => classifier.predict(text)),
		]);
		expect(all.slice(0, 4)).toEqual([wanted, wanted, wanted, wanted]);
		expect(all.slice(4)).toEqual(wanted);
	});

	test('may be asked for before those asked for earlier have come', async () => {
		const stream = classifier.stream(['I', 'feel', 'fine']);
		const all = await Promise.all([stream.next(), stream.next(), stream.next(), stream.next()]);
		expect(all.map(({ done }) => done)).toEqual([false, false, false, true]);
		expect(all.slice(0, 3).map(({ value }) => value)).toEqual(await classifier.predict(['I', 'feel', 'fine']));
	});
});

describe('back-pressure', () => {
	test('reads no more than about two batches ahead of the answers that are taken', async () => {
		const { texts, seen } = source();
		let taken = 0;
		for await (const { tokens } of classifier.stream(texts)) {
			taken += 1;
			await pause(1);
			// Two batches of 64 tokens; a text is held to have 2 tokens and one of each 4 characters, and has at least 2.
			expect(seen.given - taken).toBeLessThanOrEqual(64);
			expect(tokens).toBeGreaterThan(2);
			if (taken === 100) break;
		}
		await pause(20);
		expect(seen.given).toBeLessThanOrEqual(164);
		expect(seen.returned).toBe(true);
	});

	test('stands still where nobody takes the answers', async () => {
		const { texts, seen } = source();
		const stream = classifier.stream(texts);
		await pause(5);
		expect(seen.given).toBe(0);
		await stream.next();
		await pause(30);
		const { given } = seen;
		expect(given).toBeLessThan(64);
		await pause(30);
		expect(seen.given).toBe(given);
		await stream.return();
	});

	test('a text larger than all room is read all the same', async () => {
		const long = 'what a day! '.repeat(100);
		const options = { windows: { stride: 0 }, maxLength: 30 };
		expect(await collect(classifier.stream([long, 'I', long], options))).toEqual(await classifier.predict([long, 'I', long], options));
	});
});

describe('the end', () => {
	test('an error of the source comes after the answers before it', async () => {
		const failure = new Error('no more');
		const { texts } = source({ upTo: 30, fail: failure });
		const got: unknown[] = [];
		await expect(collect(classifier.stream(texts), got)).rejects.toBe(failure);
		expect(got).toHaveLength(30);
	});

	test('what is no text comes after the answers before it, and the source is left', async () => {
		let returned = false;
		function* texts() {
			try {
				yield* ['I', 'feel', 7 as unknown as string, 'fine'];
			} finally {
				returned = true;
			}
		}
		const got: unknown[] = [];
		await expect(collect(classifier.stream(texts()), got)).rejects.toMatchObject({ code: 'TEXT_INVALID' });
		expect(got).toHaveLength(2);
		expect(returned).toBe(true);
	});

	test('a reader that leaves early is not held up by a source that gives nothing', async () => {
		const { texts } = source({ pauseAt: 5 });
		let taken = 0;
		for await (const _ of classifier.stream(texts)) if (++taken === 5) break;
		expect(taken).toBe(5);
	});

	test('what return() of the source throws is told', async () => {
		const texts = {
			[Symbol.asyncIterator]: () => ({
				next: async () => ({ done: false as const, value: 'I' }),
				return: async () => {
					throw new Error('could not be closed');
				},
			}),
		};
		const reading = (async () => {
			for await (const _ of classifier.stream(texts)) {
				await pause(5); // the source is not being asked: there is no room
				break;
			}
		})();
		await expect(reading).rejects.toThrow('could not be closed');
	});

	test('an abort comes at once, also while the source gives nothing', async () => {
		const controller = new AbortController();
		const { texts, seen } = source({ pauseAt: 5 });
		const got: unknown[] = [];
		const reading = collect(classifier.stream(texts, { signal: controller.signal }), got);
		while (got.length < 5) await pause(1);
		controller.abort('enough');
		await expect(reading).rejects.toMatchObject({ name: 'AbortError', cause: 'enough' });
		expect(seen.given).toBe(5);
		await expect(collect(classifier.stream(['I'], { signal: controller.signal }))).rejects.toMatchObject({ code: 'ABORTED' });
	});

	test('dispose() gives what was read and ends with CLASSIFIER_CLOSED, also while the source gives nothing', async () => {
		for (const pauseAt of [5, Number.POSITIVE_INFINITY]) {
			const own = await Classifier.load(tiny, { maxBatchTokens: 64 });
			const { texts } = source({ pauseAt });
			const got: unknown[] = [];
			const reading = collect(own.stream(texts), got);
			reading.catch(() => {}); // looked at below
			while (got.length < 5) await pause(1);
			await own.dispose();
			await expect(reading).rejects.toMatchObject({ code: 'CLASSIFIER_CLOSED' });
			expect(got.slice(0, 5)).toEqual(await classifier.predict([0, 1, 2, 3, 4].map(textOf)));
			expect(() => own.stream(['I'])).toThrow('Expected an open classifier');
		}
	});

	test('dispose() within the loop does not wait for the loop', async () => {
		const own = await Classifier.load(tiny, { maxBatchTokens: 64 });
		let taken = 0;
		const reading = (async () => {
			for await (const _ of own.stream(source().texts)) if (++taken === 3) await own.dispose();
		})();
		await expect(reading).rejects.toMatchObject({ code: 'CLASSIFIER_CLOSED' });
		expect(taken).toBeGreaterThanOrEqual(3);
	});

	test.each(['a text', 7, null, undefined, {}])('%j is refused as a source', async (texts) => {
		await expect(collect(classifier.stream(texts as unknown as string[]))).rejects.toMatchObject({ code: 'TEXT_INVALID' });
	});
});

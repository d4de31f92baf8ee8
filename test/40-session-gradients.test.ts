import { describe, expect, it } from 'vitest';
import { loadEngine } from '../lib/runtime/load.js';
import type { NativeSession, RaggedBatch } from '../lib/runtime/native.js';
import { type Rows, ragged, referenceJson, sessionOptions } from './models.js';

// When gradients are added up, divided, used and dropped. Dropout is on, so that its masks must agree as well.

const engine = loadEngine();
const { batches } = referenceJson('tiny-curves.json.gz') as { batches: Rows[] };
const [a, b, c] = batches.map(ragged) as [RaggedBatch, RaggedBatch, RaggedBatch];
const uncounted: RaggedBatch = { ...a, labels: new Int32Array(a.offsets.length - 1).fill(-100) };
const rate = 1e-3;

const open = () => engine.openSession(sessionOptions({ dropout: 0.1, attentionDropout: 0.1, classifierDropout: 0.2 }));
const names = ['distilbert.embeddings.word_embeddings.weight', 'distilbert.transformer.layer.1.ffn.lin1.weight', 'classifier.bias'] as const;

async function all<Value>(read: (name: string) => Promise<Value>): Promise<Value[]> {
	const values: Value[] = [];
	for (const name of names) values.push(await read(name)); // one call at a time
	return values;
}
const trained = (session: NativeSession) => all(async (name) => [await session.parameter(name), await session.moments(name)]);
const pending = (session: NativeSession) => all((name) => session.gradient(name));
const isZero = (values: Float32Array) => values.every((value) => value === 0);

describe('accumulate', () => {
	it('and then a step are that step of all batches, to the bit', async () => {
		const once = await open();
		const bits = await open();
		const whole = await once.step([a, b, c], rate);
		const first = await bits.accumulate([a], 3);
		const second = await bits.accumulate([b], 3);
		const last = await bits.step([c], rate, 3);
		expect([...first, ...second, ...last.losses]).toEqual([...whole.losses]);
		expect(last.gradNorm).toBe(whole.gradNorm);
		expect(await trained(bits)).toEqual(await trained(once));
		await once.close();
		await bits.close();
	});

	it('moves no parameter and no moment, and waits through an evaluation', async () => {
		const session = await open();
		const before = await trained(session);
		await session.accumulate([a], 2);
		const gradients = await pending(session);
		await session.logits(b);
		expect(await trained(session)).toEqual(before);
		expect(await pending(session)).toEqual(gradients);
		expect(gradients.some(isZero)).toBe(false);
		await session.close();
	});

	it('wants a list of at least one batch', async () => {
		const session = await open();
		await expect(session.accumulate([], 1)).rejects.toMatchObject({ code: 'BATCH_INVALID' });
		await session.close();
	});
});

describe('the divisor', () => {
	it('divides gradients, and no loss', async () => {
		const whole = await open();
		const quarter = await open();
		const { losses, gradNorm } = await whole.step([a], rate);
		const got = await quarter.step([a], rate, 4);
		expect(got.losses).toEqual(losses);
		expect(got.gradNorm * 4).toBeCloseTo(gradNorm, 5); // by a power of two, so next to no rounding
		await whole.close();
		await quarter.close();
	});

	it('is the number of batches unless it is given', async () => {
		const silent = await open();
		const said = await open();
		expect(await silent.step([a, b], rate)).toEqual(await said.step([a, b], rate, 2));
		await silent.close();
		await said.close();
	});
});

it('a step clears the gradients, so the next one has its own alone', async () => {
	const session = await open();
	await session.accumulate([a], 1);
	await session.step([b], rate);
	expect((await pending(session)).every(isZero)).toBe(true);
	await session.close();
});

describe('a step or accumulate that fails', () => {
	const failures: Record<string, (session: NativeSession) => Promise<unknown>> = {
		'for a loss that is no number': (session) => session.step([b, uncounted], rate),
		'for a loss that is no number, in accumulate': (session) => session.accumulate([b, uncounted], 1),
		'for a norm that is no number': (session) => session.step([b], rate, 0),
	};

	it.each(Object.keys(failures))('%s: what was trained stays, what was pending goes', async (name) => {
		const session = await open();
		await session.step([a], rate);
		const before = await trained(session);
		await session.accumulate([b], 1);
		await expect(failures[name]?.(session)).rejects.toMatchObject({ code: 'NON_FINITE', message: expect.stringContaining('step 2') });
		expect(await trained(session)).toEqual(before);
		expect((await pending(session)).every(isZero)).toBe(true);
		expect((await session.step([c], rate)).gradNorm).toBeGreaterThan(0);
		await session.close();
	});

	it('before it computes: all stays, what was pending too', async () => {
		const session = await open();
		await session.accumulate([a], 1);
		const before = await pending(session);
		const noClass = { ...b, labels: new Int32Array(b.offsets.length - 1).fill(3) };
		await expect(session.step([c, noClass], rate)).rejects.toMatchObject({ code: 'BATCH_INVALID' });
		expect(await pending(session)).toEqual(before);
		await session.close();
	});
});

it('rows labelled -100 are read and do not count', async () => {
	const longer: RaggedBatch = {
		ids: Int32Array.of(...a.ids, 2, 9, 3),
		offsets: Int32Array.of(...a.offsets, a.ids.length + 3),
		labels: Int32Array.of(...(a.labels as Int32Array), -100),
	};
	const session = await engine.openSession(sessionOptions({}));
	const [want] = await session.accumulate([a], 1);
	const wanted = await session.gradient('classifier.bias');
	const [got] = await session.accumulate([longer], -1); // takes away what was added
	expect(Math.abs((got as number) - (want as number))).toBeLessThan(1e-6); // float logits, in products of other sizes
	const left = (await session.gradient('classifier.bias')).map(Math.abs);
	expect(Math.max(...left)).toBeLessThan(1e-6 * Math.max(...wanted.map(Math.abs)));
	await session.close();
});

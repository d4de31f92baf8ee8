import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { resolveLibtorch } from '../lib/runtime/libtorch.js';
import { engineFile, loadEngine } from '../lib/runtime/load.js';
import type { NativeSession } from '../lib/runtime/native.js';
import { type Rows, ragged, referenceJson, sessionOptions, tinyShape } from './models.js';

const engine = loadEngine();
const { batches } = referenceJson('tiny-curves.json.gz') as { batches: Rows[] };
const batch = ragged(batches[0] as Rows);
const open = (changes = {}) => engine.openSession(sessionOptions(changes));

const calls: Record<string, (session: NativeSession) => Promise<unknown>> = {
	step: (session) => session.step([batch], 1e-3),
	accumulate: (session) => session.accumulate([batch], 1),
	logits: (session) => session.logits(batch),
	parameter: (session) => session.parameter('classifier.bias'),
	gradient: (session) => session.gradient('classifier.bias'),
	moments: (session) => session.moments('classifier.bias'),
	saveWeights: (session) => session.saveWeights('/nowhere/at/all'),
	saveState: (session) => session.saveState('/nowhere/at/all'),
	loadState: (session) => session.loadState('/nowhere/at/all', { steps: 0, microBatches: 0, pending: 0 }),
};

describe.each(Object.keys(calls))('%s', (name) => {
	const call = calls[name] as (session: NativeSession) => Promise<unknown>;

	it('is refused during another call, which goes on', async () => {
		const session = await open();
		const running = session.step([batch], 1e-3);
		await expect(call(session)).rejects.toMatchObject({ code: 'SESSION_BUSY' });
		expect((await running).losses).toHaveLength(1);
		await session.close();
	});

	it('is refused after close', async () => {
		const session = await open();
		await session.close();
		await expect(call(session)).rejects.toMatchObject({ code: 'SESSION_CLOSED' });
	});
});

describe('close', () => {
	it('waits for a running step and may be called twice', async () => {
		const session = await open();
		const order: string[] = [];
		const running = session.step([batch], 1e-3).then(() => order.push('step'));
		const closing = session.close().then(() => order.push('close'));
		await Promise.all([running, closing, session.close()]);
		expect(order).toEqual(['step', 'close']);
		await session.close();
	});
});

describe('the JavaScript thread', () => {
	it('turns while a step runs', async () => {
		const session = await open();
		let turns = 0;
		let running = true;
		const turn = () => {
			turns++;
			if (running) setImmediate(turn);
		};
		setImmediate(turn);
		// A hundred micro-batches are some milliseconds of arithmetic; a step on this thread would leave no turn before its promise settles.
		await session.step(Array(100).fill(batch), 1e-3);
		running = false;
		expect(turns).toBeGreaterThan(1);
		await session.close();
	});
});

describe('a session after a refusal', () => {
	it('goes on: a failed call leaves it neither busy nor changed', async () => {
		const session = await open();
		const before = await session.logits(batch);
		await expect(session.parameter('no.such.parameter')).rejects.toMatchObject({ code: 'PARAMETER_UNKNOWN' });
		await expect(session.step([], 1e-3)).rejects.toMatchObject({ code: 'BATCH_INVALID' });
		expect(await session.logits(batch)).toEqual(before);
		await session.close();
	});
});

describe('what memory depends on', () => {
	const refused: [string, Record<string, unknown>][] = [
		['an id above the vocabulary', { ids: batch.ids.map(() => tinyShape.vocabSize) }],
		['a negative id', { ids: batch.ids.map(() => -1) }],
		['offsets that end early', { offsets: batch.offsets.slice(0, -1), labels: batch.labels.slice(1) }],
		['offsets that fall', { offsets: Int32Array.of(0, 5, 2, batch.ids.length), labels: Int32Array.of(0, 0, 0) }],
		['offsets that do not begin at 0', { offsets: Int32Array.of(1, batch.ids.length), labels: Int32Array.of(0) }],
		['no offsets', { offsets: new Int32Array() }],
		['an empty row', { offsets: Int32Array.of(0, 0, batch.ids.length), labels: Int32Array.of(0, 0) }],
		['a row longer than the positions', { ids: new Int32Array(129), offsets: Int32Array.of(0, 129), labels: Int32Array.of(0) }],
		['plain arrays', { ids: [...batch.ids] }],
	];

	it.each(refused)('%s is refused', async (_, changes) => {
		const session = await open();
		await expect(session.step([{ ...batch, ...changes }], 1e-3)).rejects.toMatchObject({ code: 'BATCH_INVALID' });
		await session.close();
	});
});

describe('dropout', () => {
	const rates = { dropout: 0.1, attentionDropout: 0.1, classifierDropout: 0.2 };
	const train = async (changes: object) => {
		const session = await open({ ...rates, ...changes });
		for (let step = 0; step < 6; step++) await session.step([batch, ragged(batches[step] as Rows)], 1e-3);
		const names = ['distilbert.embeddings.word_embeddings.weight', 'distilbert.transformer.layer.1.ffn.lin1.weight', 'classifier.weight'];
		const values: Float32Array[] = [];
		for (const name of names) values.push(await session.parameter(name));
		await session.close();
		return values;
	};

	it('gives the same bits twice and for 1, 2 and 4 threads', async () => {
		const want = await train({ threads: 1 });
		for (const threads of [1, 2, 4]) expect(await train({ threads })).toEqual(want);
	});

	it('draws the same masks over our kernels and over ATen', async () => {
		const ours = await train({});
		const twins = await train({ ops: 'aten', threads: 1 });
		// One other mask moves a value by a whole step, 1e-3; rounding, through twelve steps of Adam, by far less.
		const worst = Math.max(...ours.map((values, index) => Math.max(...values.map((value, at) => Math.abs(value - (twins[index]?.[at] as number))))));
		expect(worst).toBeLessThan(2e-4);
	});

	it('draws other masks from another seed', async () => {
		expect(await train({ seed: 7 })).not.toEqual(await train({ seed: 8 }));
	});

	it('is off in logits', async () => {
		const plain = await open();
		const dropping = await open(rates);
		expect(await dropping.logits(batch)).toEqual(await plain.logits(batch));
		await plain.close();
		await dropping.close();
	});
});

describe('a loss that is no number', () => {
	it('stops the step before any weight moves and names the step', async () => {
		const session = await open();
		await session.step([batch], 1e30);
		const before = await session.parameter('classifier.weight');
		await expect(session.step([batch], 1e-3)).rejects.toMatchObject({ code: 'NON_FINITE', message: expect.stringContaining('step 2') });
		expect(await session.parameter('classifier.weight')).toEqual(before);
		await session.close();
	});

	it('is not saved: weights that are none are in no file', async () => {
		const session = await open({ optimizer: { ...sessionOptions({}).optimizer, flavor: 'adamw_hf' } });
		const path = join(tmpdir(), `distiltune-not-finite-${process.pid}.safetensors`);
		await session.step([batch], Number.MAX_VALUE);
		await expect(session.saveWeights(path)).rejects.toMatchObject({ code: 'NON_FINITE', message: expect.stringContaining('not saved') });
		expect(existsSync(path)).toBe(false);
		await session.close();
	});
});

describe('a worker that is terminated during a step', () => {
	it('ends, and sessions elsewhere go on', async () => {
		const long = ragged({ ids: Array.from({ length: 64 }, () => Array.from({ length: 128 }, (_, place) => 5 + place)), labels: Array(64).fill(0) });
		const program = `
			const { parentPort, workerData: { file, options, batch } } = require('node:worker_threads');
			require(file).openSession(options).then(async (session) => {
				for (;;) {
					const running = session.step([batch], 1e-3);
					parentPort.postMessage('running');
					await running;
				}
			});`;
		const file = engineFile(resolveLibtorch().key); // libtorch is mapped already, so the file alone will do
		const worker = new Worker(program, { eval: true, workerData: { file, options: sessionOptions({}), batch: long } });
		await once(worker, 'message');
		expect(await worker.terminate()).toBe(1);

		const session = await open();
		expect((await session.step([batch], 1e-3)).losses).toHaveLength(1);
		await session.close();
	});
});

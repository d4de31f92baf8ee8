import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadBase } from '../lib/runtime/load.js';
import type { RaggedBatch } from '../lib/runtime/native.js';
import { minilmShape, minilmWeights, reference, referenceJson, tinyShape, tinyWeights } from './models.js';
import { readSafetensors, safetensors } from './safetensors.js';

const folder = mkdtempSync(join(tmpdir(), 'distiltune-'));
afterAll(() => rmSync(folder, { recursive: true }));

function ragged(rows: readonly (readonly number[])[]): RaggedBatch {
	const offsets = new Int32Array(rows.length + 1);
	rows.forEach((row, i) => {
		offsets[i + 1] = (offsets[i] as number) + row.length;
	});
	return { ids: Int32Array.from(rows.flat()), offsets };
}

const openTiny = () => loadBase().openPredictor({ weights: tinyWeights, shape: tinyShape, threads: 2 });

// Transformers in float64; its own float32 is off by 2.0e-6, another order of summation is as good.
const tolerance = 1e-5;

test("logits of the tiny model equal Transformers'", async () => {
	const predictor = await openTiny();
	for (const { ids, logits } of referenceJson('tiny-logits.json.gz') as { ids: number[][]; logits: number[][] }[]) {
		const got = await predictor.logits(ragged(ids));
		expect(got).toHaveLength(logits.flat().length);
		for (const [i, want] of logits.flat().entries()) expect(Math.abs((got[i] as number) - want)).toBeLessThanOrEqual(tolerance);
	}
	await predictor.close();
});

test("logits of 64 real posts on minilm-l6 with a head equal Transformers'", async () => {
	const weights = join(folder, 'minilm.safetensors');
	const parts = [minilmWeights, reference('minilm-head.safetensors')];
	writeFileSync(weights, safetensors(parts.flatMap((part) => readSafetensors(readFileSync(part)))));
	const predictor = await loadBase().openPredictor({ weights, shape: minilmShape, threads: 0 });
	const { ids, logits } = referenceJson('minilm-logits.json.gz') as { ids: number[][]; logits: number[][] };
	expect(ids).toHaveLength(64);
	const got = await predictor.logits(ragged(ids));
	for (const [i, want] of logits.flat().entries()) expect(Math.abs((got[i] as number) - want)).toBeLessThanOrEqual(tolerance);
	await predictor.close();
});

test('calls queued before close finish, later ones are refused, closing twice is fine', async () => {
	const predictor = await openTiny();
	const queued = [predictor.logits(ragged([[2, 3]])), predictor.logits(ragged([[2, 9, 3]]))];
	const closed = predictor.close();
	expect((await Promise.all(queued)).map((logits) => logits.length)).toEqual([3, 3]);
	await closed;
	await expect(predictor.logits(ragged([[2, 3]]))).rejects.toMatchObject({ code: 'PREDICTOR_CLOSED' });
	await predictor.close();
});

test('a batch that memory safety forbids is refused', async () => {
	const predictor = await openTiny();
	const offsets = (...values: number[]) => Int32Array.from(values);
	const bad: unknown[] = [
		ragged([[2, 600, 3]]),
		ragged([[2, -1, 3]]),
		ragged([Array.from({ length: 129 }, () => 5)]),
		ragged([[]]),
		ragged([]),
		{ ids: offsets(2, 3), offsets: offsets() },
		{ ids: offsets(2, 3), offsets: offsets(0, 1) },
		{ ids: offsets(2, 3), offsets: offsets(0, 3) },
		{ ids: [2, 3], offsets: [0, 2] },
		{ ids: new Float32Array(2), offsets: offsets(0, 2) },
		{},
	];
	for (const batch of bad) await expect(predictor.logits(batch as RaggedBatch)).rejects.toMatchObject({ code: 'BATCH_INVALID' });
	await predictor.close();
});

test('the batch may be changed after the call', async () => {
	const predictor = await openTiny();
	const batch = ragged([[2, 9, 10, 3]]);
	const first = await predictor.logits(batch);
	const second = predictor.logits(batch);
	batch.ids.fill(1 << 30);
	expect(await second).toEqual(first);
	await predictor.close();
});

test('a model that cannot be opened rejects with its reason', async () => {
	const open = (change: object, weights = tinyWeights) => loadBase().openPredictor({ weights, shape: { ...tinyShape, ...change }, threads: 1 });
	await expect(open({ labels: 2 })).rejects.toMatchObject({ code: 'TENSOR_SHAPE', message: expect.stringContaining('[3, 48], expected [2, 48]') });
	await expect(open({ layers: 4 })).rejects.toMatchObject({ code: 'TENSOR_MISSING' });
	await expect(open({ layers: 2 })).rejects.toMatchObject({ code: 'TENSOR_UNEXPECTED' });
	await expect(open({ heads: 5 })).rejects.toMatchObject({ code: 'MODEL_SHAPE_INVALID' });
	await expect(open({}, join(folder, 'none'))).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
	await expect(open(minilmShape, minilmWeights)).rejects.toMatchObject({
		code: 'MODEL_NOT_TRAINED',
		hint: expect.stringContaining('distiltune train'),
	});
});

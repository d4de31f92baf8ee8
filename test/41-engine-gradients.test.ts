import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadEngine } from '../lib/runtime/load.js';
import type { NativeSession, RaggedBatch } from '../lib/runtime/native.js';
import { minilmShape, minilmWeights, type Rows, ragged, reference, referenceJson, sessionOptions } from './models.js';
import { distance, floats, readTensors, writeTensors } from './tensors.js';

// Gradients against Transformers' in float64. Another order of summation brings as much as its own float32 is off: 2.1e-6 of a
// tensor, 5.9e-7 of the norm of all. k_lin.bias, truly zero, has no relative error.
const tensorTolerance = 1e-5;
const zeroTolerance = 1e-6;

interface Norms {
	readonly loss: number;
	readonly global: number;
	readonly parameters: Readonly<Record<string, number>>;
}
const norms = referenceJson('gradnorms.json.gz') as Record<'tiny' | 'minilm', readonly Norms[]>;
const { batches } = referenceJson('tiny-curves.json.gz') as { batches: Rows[] };

const engine = loadEngine();
const folder = mkdtempSync(join(tmpdir(), 'distiltune-'));
afterAll(() => rmSync(folder, { recursive: true }));

const norm = (values: Float32Array) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));

/** Leaves no gradient and, since its rate is 0, all parameters as they were. */
async function expectNorms(session: NativeSession, batch: RaggedBatch, want: Norms, globalTolerance: number): Promise<void> {
	await session.accumulate([batch], 1);
	for (const [name, value] of Object.entries(want.parameters)) {
		const got = norm(await session.gradient(name));
		if (name.endsWith('k_lin.bias')) expect(got, name).toBeLessThanOrEqual(zeroTolerance * want.global);
		else expect(Math.abs(got / value - 1), name).toBeLessThan(tensorTolerance);
	}
	const before = await session.gradient('classifier.weight');
	const { gradNorm, losses } = await session.step([batch], 0, 1); // the same gradients once more
	expect(norm(before)).toBeGreaterThan(0);
	expect(Math.abs(gradNorm / 2 / want.global - 1)).toBeLessThan(globalTolerance);
	expect(Math.abs((losses[0] as number) - want.loss)).toBeLessThan(1e-5);
}

describe.each(['cpu', 'aten'] as const)('the tiny model over %s', (ops) => {
	const open = () => engine.openSession(sessionOptions({ ops, threads: 1 })); // threads of libtorch cost more here than they gain

	it.each([0, 1])('has every gradient of batch %i', async (index) => {
		const session = await open();
		await session.accumulate([ragged(batches[index] as Rows)], 1);
		const all = norms.tiny[index]?.global as number;
		const want = [...readTensors(reference('tiny-gradients.safetensors.gz'))].filter(([key]) => key.startsWith(`b${index}.`));
		expect(want).toHaveLength(56);
		for (const [key, tensor] of want) {
			const got = await session.gradient(key.slice(3));
			if (key.endsWith('k_lin.bias')) expect(norm(got), key).toBeLessThanOrEqual(zeroTolerance * all);
			else expect(distance(got, floats(tensor)), key).toBeLessThan(tensorTolerance);
		}
		await session.close();
	});

	it('has the norms of every gradient of all eight batches', async () => {
		const session = await open();
		for (const [index, want] of norms.tiny.entries()) await expectNorms(session, ragged(batches[index] as Rows), want, 2e-6);
		await session.close();
	});
});

it('the six-layer body has the norms of every gradient of two batches', async () => {
	const weights = join(folder, 'minilm.safetensors');
	writeTensors(weights, new Map([...readTensors(minilmWeights), ...readTensors(reference('minilm-head.safetensors'))]));
	const session = await engine.openSession(sessionOptions({ weights, shape: minilmShape }));
	const { train } = referenceJson('minilm-curve.json.gz') as { train: Rows };
	for (const [index, want] of norms.minilm.entries()) {
		const rows = [8 * index, 8 * index + 8] as const;
		await expectNorms(session, ragged({ ids: train.ids.slice(...rows), labels: train.labels.slice(...rows) }), want, 1e-5);
	}
	await session.close();
}, 120_000); // a second with vector instructions, half a minute in plain loops

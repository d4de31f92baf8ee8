import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadEngine } from '../lib/runtime/load.js';
import { minilmShape, minilmWeights, type Rows, ragged, reference, referenceJson, sessionOptions, tinyWeights } from './models.js';
import { distance, floats, readTensors, type StoredTensor, writeTensors } from './tensors.js';

// The engine against Transformers' numbers in float64 (the tolerances are those measured for float32 runs of its own model:
// each is at least 2.4 times what another order of summation brings, and far below what a mistake does).
const lossTolerance = 1e-5;
const normTolerance = 1e-4;

const engine = loadEngine();
const folder = mkdtempSync(join(tmpdir(), 'distiltune-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Curve {
	readonly settings: Record<'adam_beta1' | 'adam_beta2' | 'adam_epsilon' | 'weight_decay' | 'max_grad_norm', number> & {
		readonly optim: 'adamw_torch' | 'adamw_hf';
	};
	readonly batches_of_step: readonly number[][];
	readonly loss: readonly number[];
	readonly grad_norm: readonly number[];
	readonly lr: readonly number[];
}
const { batches, runs } = referenceJson('tiny-curves.json.gz') as { batches: Rows[]; runs: Record<string, Curve> };

const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** How far training has come from where it should be, relative to how far it went. */
function drift(got: Float32Array, want: Float32Array, start: Float32Array): { off: number; moved: number } {
	let off = 0;
	let moved = 0;
	for (let index = 0; index < want.length; index++) {
		off += ((got[index] as number) - (want[index] as number)) ** 2;
		moved += ((want[index] as number) - (start[index] as number)) ** 2;
	}
	return { off, moved };
}

describe.each(['cpu', 'aten'] as const)('the tiny model over %s', (ops) => {
	it('has the logits and losses of all eight batches', async () => {
		const session = await engine.openSession(sessionOptions({ ops, threads: 1 }));
		const want = referenceJson('tiny-logits.json.gz') as { logits: number[][] }[];
		const { tiny } = referenceJson('gradnorms.json.gz') as { tiny: { loss: number }[] };
		for (const [index, rows] of batches.entries()) {
			const logits = await session.logits(ragged(rows));
			const values = (want[index] as { logits: number[][] }).logits.flat();
			expect(logits).toHaveLength(values.length);
			for (const [at, value] of values.entries())
				expect(Math.abs((logits[at] as number) - value), `logit ${at} of batch ${index}`).toBeLessThan(1e-5);
			const [loss] = await session.accumulate([ragged(rows)], 1);
			expect(Math.abs((loss as number) - (tiny[index]?.loss as number)), `loss of batch ${index}`).toBeLessThan(lossTolerance);
		}
		await session.close();
	});
});

describe.each(['cpu', 'aten'] as const)('30 steps of the tiny model over %s', (ops) => {
	it.each(Object.keys(runs))('%s: losses, gradient norms and final parameters', async (name) => {
		const { settings, batches_of_step: order, loss, grad_norm: norm, lr } = runs[name] as Curve;
		const session = await engine.openSession(
			sessionOptions({
				ops,
				threads: 1, // libtorch's own threads spin, which costs more than such a small model gains
				optimizer: {
					flavor: settings.optim,
					beta1: settings.adam_beta1,
					beta2: settings.adam_beta2,
					epsilon: settings.adam_epsilon,
					weightDecay: settings.weight_decay,
					maxGradNorm: settings.max_grad_norm,
				},
			}),
		);
		for (const [step, indices] of order.entries()) {
			const micro = indices.map((index) => ragged(batches[index] as Rows));
			const got = await session.step(micro, lr[step] as number);
			expect(Math.abs(mean(got.losses) - (loss[step] as number)), `loss of step ${step}`).toBeLessThan(lossTolerance);
			expect(Math.abs(got.gradNorm / (norm[step] as number) - 1), `norm of step ${step}`).toBeLessThan(normTolerance);
		}
		if (['adamw_torch-wd0.01', 'adamw_hf-wd0.01', 'linear-warmup'].includes(name)) {
			const saved = join(folder, `${ops}-${name}.safetensors`);
			await session.saveWeights(saved);
			const got = readTensors(saved);
			const want = readTensors(reference(`tiny-final-${name}.safetensors.gz`));
			const start = readTensors(tinyWeights);
			const all = { off: 0, moved: 0 };
			expect([...got.keys()].sort()).toEqual([...want.keys()].sort());
			for (const [key, tensor] of want) {
				if (key.endsWith('k_lin.bias')) continue; // its gradient is truly zero; theirs is noise, and Adam walks on it
				const { off, moved } = drift(floats(got.get(key) as StoredTensor), floats(tensor), floats(start.get(key) as StoredTensor));
				expect(Math.sqrt(off / moved), key).toBeLessThan(5e-3);
				all.off += off;
				all.moved += moved;
			}
			expect(Math.sqrt(all.off / all.moved)).toBeLessThan(6e-4);
		}
		if (name === 'adamw_hf-wd0.01') {
			for (const [key, tensor] of readTensors(reference(`tiny-moments-${name}.safetensors.gz`))) {
				if (key.endsWith('k_lin.bias')) continue;
				const [, which, parameter] = /^(exp_avg(?:_sq)?)\.(.*)$/.exec(key) as string[];
				const { first, second } = await session.moments(parameter as string);
				// Running sums of gradients along a path that itself drifts: Transformers' float32 is 1.7e-5 off.
				expect(distance(which === 'exp_avg' ? first : second, floats(tensor)), key).toBeLessThan(1e-4);
			}
		}
		await session.close();
	});
});

it('trains the six-layer body for 30 steps as Transformers does, and classifies as that model then does', async () => {
	const curve = referenceJson('minilm-curve.json.gz') as Curve & { train: Rows; logits_after: number[][] };
	const before = referenceJson('minilm-logits.json.gz') as { ids: number[][]; logits: number[][] };
	const weights = join(folder, 'minilm.safetensors');
	writeTensors(weights, new Map([...readTensors(minilmWeights), ...readTensors(reference('minilm-head.safetensors'))]));
	const session = await engine.openSession(sessionOptions({ weights, shape: minilmShape }));
	expect(session.initialized).toEqual([]);

	const evaluate = async (want: number[][], tolerance: number) => {
		const got = await session.logits(ragged({ ids: before.ids, labels: [] }));
		const worst = want.flat().reduce((most, value, index) => Math.max(most, Math.abs(value - (got[index] as number))), 0);
		expect(worst).toBeLessThan(tolerance);
	};
	await evaluate(before.logits, 1e-5);
	for (let step = 0; step < 30; step++) {
		const rows = { ids: curve.train.ids.slice(8 * step, 8 * step + 8), labels: curve.train.labels.slice(8 * step, 8 * step + 8) };
		const got = await session.step([ragged(rows)], curve.lr[step] as number);
		expect(Math.abs((got.losses[0] as number) - (curve.loss[step] as number)), `loss of step ${step}`).toBeLessThan(lossTolerance);
		expect(Math.abs(got.gradNorm / (curve.grad_norm[step] as number) - 1), `norm of step ${step}`).toBeLessThan(normTolerance);
	}
	await evaluate(curve.logits_after, 5e-5);
	await session.close();
}, 600_000); // 20,000 tokens: a few seconds with vector instructions, minutes in plain loops

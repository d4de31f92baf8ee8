import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadEngine } from '../lib/runtime/load.js';
import { minilmShape, minilmWeights, type Rows, ragged, reference, referenceJson, sessionOptions, tinyShape, tinyWeights } from './models.js';
import { floats, readTensors, type StoredTensor, tensorOf, writeTensors } from './tensors.js';

// The engine against Transformers' numbers in float64 (the tolerances are those measured for float32 runs of its own model:
// each is at least 2.4 times what another order of summation brings, and far below what a mistake does).
const lossTolerance = 1e-5;
const normTolerance = 1e-4;

const engine = loadEngine();
const folder = mkdtempSync(join(tmpdir(), 'distiltune-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Curve {
	readonly settings: Record<'adam_beta1' | 'adam_beta2' | 'adam_epsilon' | 'weight_decay' | 'max_grad_norm', number>;
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

describe.each(['cpu', 'aten'] as const)('30 steps of the tiny model over %s', (ops) => {
	it.each(Object.keys(runs))('%s: losses, gradient norms and final parameters', async (name) => {
		const { settings, batches_of_step: order, loss, grad_norm: norm, lr } = runs[name] as Curve;
		const session = await engine.openSession(
			sessionOptions({
				ops,
				threads: 1, // libtorch's own threads spin, which costs more than such a small model gains
				optimizer: {
					flavor: 'adamw_torch',
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
		if (['adamw_torch-wd0.01', 'linear-warmup'].includes(name)) {
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

interface HeadInit {
	readonly config: Record<'vocab_size' | 'max_position_embeddings' | 'dim' | 'hidden_dim' | 'n_layers' | 'n_heads', number>;
	readonly num_labels: number;
	readonly seed: number;
	readonly pre_classifier_first8: readonly number[];
	readonly classifier: readonly number[];
}

it.each(referenceJson('head-init.json.gz') as HeadInit[])(
	'draws the head of $num_labels labels from seed $seed as Transformers 5 does',
	async ({ config, num_labels: labels, seed, pre_classifier_first8: pre, classifier }) => {
		const shape = {
			...tinyShape,
			vocabSize: config.vocab_size,
			maxPositions: config.max_position_embeddings,
			dim: config.dim,
			hiddenDim: config.hidden_dim,
			layers: config.n_layers,
			heads: config.n_heads,
			labels,
		};
		const body = new Map<string, StoredTensor>();
		const zeros = (name: string, ...sizes: number[]) =>
			body.set(`distilbert.${name}`, tensorOf(new Float32Array(sizes.reduce((product, size) => product * size)), sizes));
		const pair = (name: string, ...sizes: number[]) => {
			zeros(`${name}.weight`, ...sizes);
			zeros(`${name}.bias`, sizes[0] as number);
		};
		const { dim, hiddenDim } = shape;
		zeros('embeddings.word_embeddings.weight', shape.vocabSize, dim);
		zeros('embeddings.position_embeddings.weight', shape.maxPositions, dim);
		pair('embeddings.LayerNorm', dim);
		for (let layer = 0; layer < shape.layers; layer++) {
			for (const name of ['q_lin', 'k_lin', 'v_lin', 'out_lin']) pair(`transformer.layer.${layer}.attention.${name}`, dim, dim);
			pair(`transformer.layer.${layer}.ffn.lin1`, hiddenDim, dim);
			pair(`transformer.layer.${layer}.ffn.lin2`, dim, hiddenDim);
			for (const name of ['sa_layer_norm', 'output_layer_norm']) pair(`transformer.layer.${layer}.${name}`, dim);
		}
		const weights = join(folder, 'body.safetensors');
		writeTensors(weights, body);

		const session = await engine.openSession(sessionOptions({ weights, shape, seed }));
		expect([...session.initialized].sort()).toEqual(['classifier.bias', 'classifier.weight', 'pre_classifier.bias', 'pre_classifier.weight']);
		const expectDrawn = async (name: string, want: readonly number[]) => {
			const got = await session.parameter(name);
			for (const [index, value] of want.entries()) {
				// torch's own values differ by this much between its instruction sets
				expect(Math.abs((got[index] as number) - value), `${name}[${index}]`).toBeLessThan(3e-8);
			}
		};
		await expectDrawn('pre_classifier.weight', pre);
		await expectDrawn('classifier.weight', classifier);
		for (const name of ['pre_classifier.bias', 'classifier.bias']) expect((await session.parameter(name)).every((value) => value === 0)).toBe(true);
		await session.close();
	},
);

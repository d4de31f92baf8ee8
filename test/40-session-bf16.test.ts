import { describe, expect, it } from 'vitest';
import { loadEngine } from '../lib/runtime/load.js';
import type { RaggedBatch, SessionOptions } from '../lib/runtime/native.js';
import { minilmShape, minilmWeights, type Rows, ragged, referenceJson, sessionOptions } from './models.js';

// Linear layers whose operands are rounded to bfloat16, beside those of fp32.

const engine = loadEngine();
const { batches } = referenceJson('tiny-curves.json.gz') as { batches: Rows[] };
const [first, second] = batches.map(ragged) as [RaggedBatch, RaggedBatch];

const layerParts = [
	'attention.q_lin',
	'attention.k_lin',
	'attention.v_lin',
	'attention.out_lin',
	'sa_layer_norm',
	'ffn.lin1',
	'ffn.lin2',
	'output_layer_norm',
];
const namesOf = (layers: number) => [
	...['word_embeddings.weight', 'position_embeddings.weight', 'LayerNorm.weight', 'LayerNorm.bias'].map((name) => `distilbert.embeddings.${name}`),
	...Array.from({ length: layers }, (_, layer) =>
		layerParts.flatMap((part) => ['weight', 'bias'].map((name) => `distilbert.transformer.layer.${layer}.${part}.${name}`)),
	).flat(),
	...['pre_classifier.weight', 'pre_classifier.bias', 'classifier.weight', 'classifier.bias'],
];

async function gradients(options: Partial<SessionOptions>, batch: RaggedBatch): Promise<{ loss: number; values: Float32Array[] }> {
	const session = await engine.openSession(sessionOptions(options));
	const losses = await session.accumulate([batch], 1);
	const values: Float32Array[] = [];
	for (const name of namesOf(sessionOptions(options).shape.layers)) values.push(await session.gradient(name));
	await session.close();
	return { loss: losses[0] as number, values };
}

/** |a - b| / |b| over all values. */
function distance(a: readonly Float32Array[], b: readonly Float32Array[]): number {
	let difference = 0;
	let size = 0;
	for (const [index, values] of b.entries())
		for (const [at, value] of values.entries()) {
			difference += ((a[index]?.[at] as number) - value) ** 2;
			size += value ** 2;
		}
	return Math.sqrt(difference / size);
}

describe('a step in bf16', () => {
	const minilm = { weights: minilmWeights, shape: minilmShape };
	const { train } = referenceJson('minilm-curve.json.gz') as { train: Rows };
	const posts = ragged({ ids: train.ids.slice(16, 24), labels: train.labels.slice(16, 24) });

	// A rounding to bfloat16 is off by up to 2^-9, a whole gradient by more the more of it the rows cancel: on five batches of posts 2.4 to 9.5%
	// with minilm-l6 and its new head, 3.0% on this one; with the tiny model 16% on the first batch,
	// .9 to 2.4% on five others, 1.1% on this one. Half a thousandth is what fp32 could never be off.
	it.each([
		['the tiny model', {}, second],
		['minilm-l6', minilm, posts],
	] as [string, Partial<SessionOptions>, RaggedBatch][])(
		'has the gradients of fp32 within a tenth and its loss within a hundredth, but not its bits: %s',
		async (_, model, batch) => {
			const want = await gradients(model, batch);
			const got = await gradients({ ...model, dtype: 'bf16' }, batch);
			const off = distance(got.values, want.values);
			expect(off).toBeGreaterThan(5e-4);
			expect(off).toBeLessThan(0.1);
			expect(Math.abs(got.loss / want.loss - 1)).toBeLessThan(0.01);
		},
	);

	it('gives the same bits for 1, 2 and 4 threads, dropout included', async () => {
		const train = async (threads: number) => {
			const session = await engine.openSession(
				sessionOptions({ dtype: 'bf16', threads, dropout: 0.1, attentionDropout: 0.1, classifierDropout: 0.2 }),
			);
			for (let step = 0; step < 4; step++) await session.step([first, second], 1e-3);
			const values: Float32Array[] = [];
			for (const name of namesOf(3)) values.push(await session.parameter(name));
			await session.close();
			return values;
		};
		const want = await train(1);
		for (const threads of [2, 4]) expect(await train(threads)).toEqual(want);
	});

	it('keeps weights in fp32: a step too small for bfloat16 moves them', async () => {
		const session = await engine.openSession(sessionOptions({ dtype: 'bf16' }));
		const name = 'distilbert.transformer.layer.0.ffn.lin1.weight';
		const before = await session.parameter(name);
		await session.step([first], 1e-7);
		const moved = (await session.parameter(name)).filter((value, at) => value !== before[at]);
		expect(moved.length).toBeGreaterThan(0.5 * before.length);
		await session.close();
	});

	it('answers a row alone as it does in a batch', async () => {
		const session = await engine.openSession(sessionOptions({ dtype: 'bf16' }));
		const together = await session.logits(first);
		for (let row = 0; row + 1 < first.offsets.length; row++) {
			const ids = first.ids.slice(first.offsets[row], first.offsets[row + 1]);
			const alone = await session.logits({ ids, offsets: Int32Array.of(0, ids.length) });
			expect(alone).toEqual(together.slice(3 * row, 3 * row + 3));
		}
		await session.close();
	});
});

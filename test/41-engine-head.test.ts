import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadEngine } from '../lib/runtime/load.js';
import { referenceJson, sessionOptions, tinyShape } from './models.js';
import { type StoredTensor, tensorOf, writeTensors } from './tensors.js';

// Heads that Transformers draws for a body without one: version 5 (first), and 4.18 (afterConstructors).

const engine = loadEngine();
const folder = mkdtempSync(join(tmpdir(), 'distiltune-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface HeadInit {
	readonly config: Record<'vocab_size' | 'max_position_embeddings' | 'dim' | 'hidden_dim' | 'n_layers' | 'n_heads', number>;
	readonly num_labels: number;
	readonly seed: number;
	readonly first: Head;
	readonly afterConstructors: Head;
}
interface Head {
	readonly pre_classifier_first8: readonly number[];
	readonly pre_classifier_sum: number;
	readonly classifier: readonly number[];
}
const heads = referenceJson('head-init.json.gz') as HeadInit[];

describe.each(['first', 'afterConstructors'] as const)('%s', (headDraws) => {
	it.each(heads)('draws the head of $num_labels labels from seed $seed', async ({ config, num_labels: labels, seed, [headDraws]: want }) => {
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

		const session = await engine.openSession(sessionOptions({ weights, shape, seed, headDraws }));
		expect([...session.initialized].sort()).toEqual(['classifier.bias', 'classifier.weight', 'pre_classifier.bias', 'pre_classifier.weight']);
		const expectDrawn = async (name: string, want: readonly number[]) => {
			const got = await session.parameter(name);
			for (const [index, value] of want.entries()) {
				// torch's own values differ by this much between its instruction sets
				expect(Math.abs((got[index] as number) - value), `${name}[${index}]`).toBeLessThan(3e-8);
			}
		};
		await expectDrawn('pre_classifier.weight', want.pre_classifier_first8);
		const sum = (await session.parameter('pre_classifier.weight')).reduce((total, value) => total + value, 0);
		expect(Math.abs(sum - want.pre_classifier_sum)).toBeLessThan(1e-6); // 1,024 such differences, of both signs
		await expectDrawn('classifier.weight', want.classifier);
		for (const name of ['pre_classifier.bias', 'classifier.bias']) expect((await session.parameter(name)).every((value) => value === 0)).toBe(true);
		await session.close();
	});
});

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import type { ModelShape, RaggedBatch, SessionOptions } from '../lib/runtime/native.js';

// The two models of the reference numbers, and the numbers.

export const root = fileURLToPath(new URL('..', import.meta.url));
export const fixture = (name: string) => `${root}test/fixtures/${name}`;
export const reference = (name: string) => fixture(`reference/${name}`);
export const referenceJson = (name: string) => JSON.parse(gunzipSync(readFileSync(reference(name))).toString('utf8'));

export const tinyWeights = fixture('tiny-model/model.safetensors');
export const tinyShape: ModelShape = {
	vocabSize: 600,
	maxPositions: 128,
	layers: 3,
	heads: 4,
	dim: 48,
	hiddenDim: 96,
	labels: 3,
	activation: 'gelu',
};

export const minilmWeights = `${root}models/minilm-l6/model.safetensors`;
export const minilmShape: ModelShape = {
	vocabSize: 30522,
	maxPositions: 512,
	layers: 6,
	heads: 12,
	dim: 384,
	hiddenDim: 1536,
	labels: 2,
	activation: 'gelu',
};

/** Settings of the reference runs: no dropout. */
export const sessionOptions = (changes: Partial<SessionOptions>): SessionOptions => ({
	weights: tinyWeights,
	shape: tinyShape,
	dropout: 0,
	attentionDropout: 0,
	classifierDropout: 0,
	initializerRange: 0.02,
	seed: 42,
	headDraws: 'first',
	loss: { kind: 'single_label', labelSmoothing: 0 },
	optimizer: { flavor: 'adamw_torch', beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 1 },
	threads: 2,
	ops: 'cpu',
	dtype: 'fp32',
	...changes,
});

export interface Rows {
	readonly ids: readonly (readonly number[])[];
	readonly labels: readonly number[];
}

export function ragged({ ids, labels }: Rows): RaggedBatch & { readonly labels: Int32Array } {
	const offsets = [0];
	for (const row of ids) offsets.push((offsets.at(-1) as number) + row.length);
	return { ids: Int32Array.from(ids.flat()), offsets: Int32Array.from(offsets), labels: Int32Array.from(labels) };
}

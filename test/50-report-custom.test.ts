import { describe, expect, it } from 'vitest';
import { type ComputeMetrics, type EvaluationRows, withCustomMetrics } from '../lib/report/custom-metrics.js';
import { measure } from '../lib/report/measure.js';
import type { RaggedBatch } from '../lib/runtime/native.js';
import { tokensInMemory } from '../lib/train/tokens.js';
import { someMetrics } from './metrics.js';

const rows: EvaluationRows = { logits: [], labels: new Int32Array(), names: ['a', 'b'] };
async function merged(compute: unknown) {
	const warnings: string[] = [];
	const ours = await someMetrics({ loss: 0.5, accuracy: 0.25 });
	const metrics = await withCustomMetrics(ours, compute as ComputeMetrics, rows, (code, message) => void warnings.push(`${code}: ${message}`));
	const added = Object.fromEntries(Object.entries(metrics).filter(([name]) => !Object.hasOwn(ours, name)));
	expect(metrics).toMatchObject(ours);
	return { added, warnings };
}

describe('metrics of the user', () => {
	it('stand beside ours, told at once or later', async () => {
		expect(await merged(() => ({ cost: 3, 'F0.5': Number.NaN }))).toEqual({ added: { cost: 3, 'F0.5': Number.NaN }, warnings: [] });
		expect(await merged(async () => ({ cost: 3 }))).toEqual({ added: { cost: 3 }, warnings: [] });
	});

	it.each(['loss', 'Accuracy', 'roc_auc', 'perLabel', 'runtime', 'samples_per_second'])('do not take the name %s', async (name) => {
		const { added, warnings } = await merged(() => ({ cost: 3, [name]: 1 }));
		expect(added).toEqual({ cost: 3 });
		expect(warnings).toEqual([`METRIC_NAME_TAKEN: computeMetrics gives a metric ${name}, a name of distiltune's own: give it another name`]);
	});

	it.each<[string, unknown, string]>([
		['what throws', () => JSON.parse('{'), 'computeMetrics failed: '],
		['what rejects', () => Promise.reject('no'), 'computeMetrics failed: no'],
		['nothing', () => undefined, 'Expected computeMetrics to give numbers by name, got undefined'],
		['a text', () => ({ cost: '3' }), 'Expected the metric cost of computeMetrics to be a number, got 3'],
	])('are left out with a warning: %s', async (_, compute, sentence) => {
		const { added, warnings } = await merged(compute);
		expect(added).toEqual({});
		expect(warnings).toEqual([expect.stringContaining(`COMPUTE_METRICS_FAILED: ${sentence}`)]);
	});
});

it('they are given every row, in order, whatever the batch', async () => {
	const examples = {
		tokens: tokensInMemory([{ ids: Int32Array.of(0, 1, 2), offsets: Int32Array.of(0, 1, 2, 3) }]),
		targets: Int32Array.of(0, 1, 1),
		lines: Int32Array.of(1, 2, 3),
	};
	const session = { logits: async ({ ids }: RaggedBatch) => Float32Array.from([...ids].flatMap((id) => [2, id])) };
	for (const batchSize of [1, 2, 8]) {
		let seen: EvaluationRows | undefined;
		const computeMetrics = (given: EvaluationRows) => {
			seen = given;
			return { cost: 7 };
		};
		const options = { session, problemType: 'single_label_classification', labels: ['a', 'b'], labelSmoothing: 0, focalGamma: 0 } as const;
		const measured = await measure(examples, { ...options, batchSize, computeMetrics, warn: expect.unreachable, stopped: () => false });
		expect(measured?.metrics).toMatchObject({ cost: 7 });
		expect(seen).toEqual({
			logits: [Float32Array.of(2, 0), Float32Array.of(2, 1), Float32Array.of(2, 2)],
			labels: examples.targets,
			names: ['a', 'b'],
		});
	}
});

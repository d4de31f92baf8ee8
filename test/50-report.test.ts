import { describe, expect, it } from 'vitest';
import { evaluationText } from '../lib/report/evaluation-text.js';
import { measure } from '../lib/report/measure.js';
import { metricsOf } from '../lib/report/metrics.js';
import { trainingTable } from '../lib/report/table.js';
import type { RaggedBatch } from '../lib/runtime/native.js';
import type { Evaluation } from '../lib/train/events.js';
import { tokensInMemory } from '../lib/train/tokens.js';
import { labelsOf, scored, someMetrics } from './metrics.js';

describe('table', () => {
	const some = someMetrics();
	const row = async (
		step: number,
		epoch: number,
		loggedLoss: number | null,
		epochLoss: number,
		loss: number,
		accuracy: number,
	): Promise<Evaluation> => ({
		...{ step, epoch, loggedLoss, epochLoss, rows: 2000, seconds: 1 },
		metrics: { ...(await some), loss, accuracy },
	});

	it('shows logged and mean loss side by side, one row an evaluation', async () => {
		expect(
			trainingTable([await row(625, 1, 0.0243, 0.13914, 0.23033, 0.9205), await row(1250, 2, 0.0341, 0.047, 0.1541, 0.933)]),
		).toMatchInlineSnapshot(`
			"| Training Loss | Epoch loss (mean) | Epoch | Step | Validation Loss | Accuracy |
			|:-------------:|:-----------------:|:-----:|:----:|:---------------:|:--------:|
			| 0.0243        | 0.1391            | 1.0   | 625  | 0.2303          | 0.9205   |
			| 0.0341        | 0.0470            | 2.0   | 1250 | 0.1541          | 0.9330   |"
		`);
	});

	it('says No log where nothing was logged before', async () => {
		expect(trainingTable([await row(50, 0.08, null, 0.5, 0.4, 0.9)])).toContain('| No log        | 0.5000            | 0.08  | 50 ');
	});
});

describe('measure', () => {
	// Rows of one token, whose second logit is that token: a row out of place shows.
	const ids = Int32Array.of(0, 1, 2, 3, 4);
	const tokens = tokensInMemory([{ ids, offsets: Int32Array.of(0, 1, 2, 3, 4, 5) }]);
	const examples = { tokens, targets: Int32Array.of(0, 1, 0, 1, 1), lines: Int32Array.of(1, 2, 3, 4, 5) };
	const session = { logits: async ({ ids }: RaggedBatch) => Float32Array.from([...ids].flatMap((id) => [2, id])) };

	const options = {
		session,
		problemType: 'single_label_classification',
		labels: ['a', 'b'],
		labelSmoothing: 0,
		focalGamma: 0,
		computeMetrics: undefined,
		warn: expect.unreachable,
	} as const;

	it('gives the same metrics whatever the batch', async () => {
		const rows = Array.from(ids, (id) => [2, id]);
		const expected = await metricsOf(scored(rows, [...examples.targets]), ['a', 'b']);
		for (const batchSize of [1, 2, 5, 8]) {
			expect(await measure(examples, { ...options, batchSize, stopped: () => false })).toMatchObject({
				rows: 5,
				metrics: expected,
			});
		}
	});

	it('ends with nothing where it is stopped', async () => {
		let asked = 0;
		expect(await measure(examples, { ...options, batchSize: 2, stopped: () => ++asked === 2 })).toBeUndefined();
		expect(asked).toBe(2);
	});
});

describe('an evaluation in words', () => {
	it('has a line a label, the confusion matrix and the headline', async () => {
		const metrics = await metricsOf(
			scored(
				[
					[2, 0],
					[0, 1],
					[1, 0],
					[0, 3],
				],
				[0, 0, 1, 1],
			),
			['control', 'depression'],
		);
		expect(evaluationText(metrics, ['control', 'depression'], 4)).toMatchInlineSnapshot(`
			"label       precision  recall      F1  ROC AUC  avg. precision  rows
			control        0.5000  0.5000  0.5000   0.7500          0.8333     2
			depression     0.5000  0.5000  0.5000   0.7500          0.8333     2
			(macro)        0.5000  0.5000  0.5000   0.7500          0.8333
			(weighted)     0.5000  0.5000  0.5000   0.7500

			taken for   control  depression
			control           1           1
			depression        1           1

			accuracy 0.5000, F1 (macro) 0.5000, MCC 0.0000, kappa 0.0000
			ROC AUC 0.7500, average precision 0.8333
			loss 0.7005, Brier 0.2713, calibration error 0.4072
			4 rows"
		`);
	});

	it('says - where nothing is defined, and puts labels on one line', async () => {
		const labels = ['a\nb\u001b[31m', 'x'.repeat(30)];
		const text = evaluationText(await metricsOf(scored([[Number.NaN, 0]], [0]), labels), labels, 1);
		expect(text).toContain(`a b [31m  `);
		expect(text).toContain(`${'x'.repeat(23)}…`);
		expect(text).toContain('loss -, Brier -, calibration error -');
		expect(text).toContain('kappa -');
	});

	it('lists the most frequent mistakes where a matrix would be too wide', async () => {
		const labels = labelsOf(20);
		const logits = Array.from({ length: 30 }, (_, row) => labels.map((_, label) => Number(label === (row < 3 ? 1 : row % 20))));
		const metrics = await metricsOf(
			scored(
				logits,
				Array.from({ length: 30 }, (_, row) => (row < 3 ? 0 : row === 3 ? 5 : row % 20)),
			),
			labels,
		);
		const lines = evaluationText(metrics, labels, 30).split('\n');
		const start = lines.findIndex((line) => line.startsWith('label') && line.includes('taken for'));
		expect(lines.slice(start, start + 4)).toEqual(['label    taken for  rows', 'label 0    label 1     3', 'label 5    label 3     1', '']);
	});
});

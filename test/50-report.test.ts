import { describe, expect, it } from 'vitest';
import { argmax, crossEntropy, Tally } from '../lib/report/metrics.js';
import { trainingTable } from '../lib/report/table.js';
import type { Evaluation } from '../lib/train/events.js';
import { referenceJson } from './models.js';

interface Scored {
	name: string;
	num_labels: number;
	logits: number[][];
	labels: number[];
	predictions: number[];
	accuracy: number;
	per_class: { precision: number; recall: number; f1: number; support: number }[];
	macro: { precision: number; recall: number; f1: number };
	nll: number;
}

describe('metrics', () => {
	// scikit-learn's values; 1e-12 absolute, because sums are taken in another order.
	it.each(referenceJson('metrics.json.gz') as Scored[])('are those of scikit-learn: $name', (set) => {
		const names = Array.from({ length: set.num_labels }, (_, index) => `label ${index}`);
		const tally = new Tally(names);
		tally.addLogits(Float32Array.from(set.logits.flat()), Int32Array.from(set.labels));
		expect(tally.rows).toBe(set.labels.length);
		expect(set.logits.map(argmax)).toEqual(set.predictions);
		const expected = { loss: set.nll, accuracy: set.accuracy, ...set.macro };
		for (const [name, value] of Object.entries(tally.metrics())) expect(value, name).toBeCloseTo(expected[name as keyof typeof expected], 12);
		const byLabel = tally.byLabel();
		for (const [index, each] of set.per_class.entries()) {
			for (const [name, value] of Object.entries(each)) expect(byLabel[`label ${index}`]?.[name as keyof typeof each], name).toBeCloseTo(value, 12);
		}
	});

	it('smooth a loss as Transformers does: the mean over all classes takes its share', () => {
		const logits = [2, -1, 0.5];
		const nll = logits.map((_, actual) => crossEntropy(logits, actual));
		const mean = nll.reduce((sum, value) => sum + value, 0) / 3;
		expect(crossEntropy(logits, 1, 0.1)).toBeCloseTo(0.9 * (nll[1] as number) + 0.1 * mean, 14);
		const tally = new Tally(['a', 'b', 'c'], 0.1);
		tally.addLogits(Float32Array.from([...logits, ...logits]), Int32Array.of(1, 0));
		expect(tally.metrics().loss).toBeCloseTo((crossEntropy(logits, 1, 0.1) + crossEntropy(logits, 0, 0.1)) / 2, 14);
	});

	it('takes logits of any size without overflow', () => {
		expect(crossEntropy([1000, 0], 0)).toBe(0);
		expect(crossEntropy([1000, 0], 1)).toBe(1000);
		expect(crossEntropy([-1000, -1000], 1)).toBeCloseTo(Math.log(2), 14);
		expect(crossEntropy([1000, 0], 0, 0.1)).toBeCloseTo(50, 12);
	});
});

describe('table', () => {
	const row = (step: number, epoch: number, loggedLoss: number | null, epochLoss: number, loss: number, accuracy: number): Evaluation => ({
		...{ step, epoch, loggedLoss, epochLoss, rows: 2000, seconds: 1, labels: {} },
		metrics: { loss, accuracy, precision: 0, recall: 0, f1: 0 },
	});

	it('shows logged and mean loss side by side, one row an evaluation', () => {
		expect(trainingTable([row(625, 1, 0.0243, 0.13914, 0.23033, 0.9205), row(1250, 2, 0.0341, 0.047, 0.1541, 0.933)])).toMatchInlineSnapshot(`
			"| Training Loss | Epoch loss (mean) | Epoch | Step | Validation Loss | Accuracy |
			|:-------------:|:-----------------:|:-----:|:----:|:---------------:|:--------:|
			| 0.0243        | 0.1391            | 1.0   | 625  | 0.2303          | 0.9205   |
			| 0.0341        | 0.0470            | 2.0   | 1250 | 0.1541          | 0.9330   |"
		`);
	});

	it('says No log where nothing was logged before', () => {
		expect(trainingTable([row(50, 0.08, null, 0.5, 0.4, 0.9)])).toContain('| No log        | 0.5000            | 0.08  | 50 ');
	});
});

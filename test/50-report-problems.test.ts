import { describe, expect, it } from 'vitest';
import type { Fold } from '../lib/report/fold.js';
import { binaryCrossEntropy, MultiLabelFold } from '../lib/report/multi-label.js';
import { RegressionFold } from '../lib/report/regression.js';
import type { Averages, LabelMetrics } from '../lib/train/events.js';
import { referenceJson } from './models.js';

interface MarkedSet {
	name: string;
	logits: number[][];
	marks: number[][];
	metrics: Record<string, number | Averages>;
	by_label: LabelMetrics[];
}
interface NumberSet {
	name: string;
	values: number[];
	predicted: number[];
	metrics: Record<string, number>;
}
const { multi_label: marked, regression } = referenceJson('problem-types.json.gz') as { multi_label: MarkedSet[]; regression: NumberSet[] };

/** Adds rows in two batches. */
function folded<Rows extends Pick<Fold<unknown>, 'add'>>(fold: Rows, logits: number[], targets: number[], width: number): Rows {
	const half = width * Math.floor(logits.length / width / 2);
	fold.add(Float32Array.from(logits.slice(0, half)), Float32Array.from(targets.slice(0, half)));
	fold.add(Float32Array.from(logits.slice(half)), Float32Array.from(targets.slice(half)));
	return fold;
}

/** Every number, by its path. */
function flat(value: object, path = ''): [string, number][] {
	return Object.entries(value).flatMap(([name, inner]) => (typeof inner === 'object' ? flat(inner, `${path}${name}.`) : [[path + name, inner]]));
}

describe('metrics of several labels a row', () => {
	// scikit-learn's values and torch's loss in double; 1e-12, relative for losses above 1: sums are taken in another order.
	it.each(marked)('are those of scikit-learn: $name', ({ logits, marks, metrics, by_label }) => {
		const labels = (marks[0] as number[]).map((_, label) => `label ${label}`);
		const fold = folded(new MultiLabelFold(labels), logits.flat(), marks.flat(), labels.length);
		expect(fold.rows).toBe(marks.length);
		const perLabel = Object.fromEntries(by_label.map((each, label) => [`label ${label}`, each]));
		const expected = flat({ ...metrics, perLabel });
		const ours = flat(fold.metrics());
		expect(ours.map(([name]) => name)).toEqual(expected.map(([name]) => name));
		for (const [index, [name, value]] of expected.entries()) {
			expect(Math.abs((ours[index]?.[1] ?? Number.NaN) - value), name).toBeLessThanOrEqual(1e-12 * Math.max(1, value));
		}
	});

	it('take logits of any size without overflow', () => {
		expect(binaryCrossEntropy(1000, 1)).toBe(0);
		expect(binaryCrossEntropy(1000, 0)).toBe(1000);
		expect(binaryCrossEntropy(-1000, 1)).toBe(1000);
		expect(binaryCrossEntropy(0, 1)).toBe(Math.log(2));
	});
});

describe('metrics of a regression', () => {
	// scikit-learn's and SciPy's in double. 1e-9 relative: around 1e4 with a spread of 0.5, floats leave r2 and the correlation that many digits.
	it.each(regression)('are those of scikit-learn and SciPy: $name', ({ values, predicted, metrics }) => {
		const fold = folded(new RegressionFold(), predicted, values, 1);
		expect(fold.rows).toBe(values.length);
		expect(Object.keys(fold.metrics())).toEqual(Object.keys(metrics));
		for (const [name, value] of Object.entries(fold.metrics())) {
			const expected = metrics[name] as number;
			expect(Math.abs(value - expected), name).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(expected)));
		}
	});
});

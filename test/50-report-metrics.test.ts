import { describe, expect, it } from 'vitest';
import { argmax } from '../lib/model/decision.js';
import { metricsOf } from '../lib/report/metrics.js';
import { binOf } from '../lib/report/probabilistic.js';
import { Probabilities, ScoredRows } from '../lib/report/scored-rows.js';
import { labelsOf, scored } from './metrics.js';
import { referenceJson } from './models.js';
import { randomNumbers } from './random.js';

interface Averages {
	precision: number;
	recall: number;
	f1: number;
}

interface ReferenceSet extends Record<string, unknown> {
	name: string;
	num_labels: number;
	logits: number[][];
	labels: number[];
	predictions: number[];
	probabilities: number[][];
	per_class: (Averages & { support: number })[];
	macro: Averages;
	roc_auc_per_class: (number | null)[];
	average_precision_per_class: (number | null)[];
	ece_bin_counts: number[];
}

const { sets } = referenceJson('metrics.json.gz') as { sets: ReferenceSet[] };

/** Equal to 1e-12 at any depth: sums are taken in another order. */
function expectClose(got: unknown, expected: unknown, name: string): void {
	if (typeof expected === 'number') {
		expect(typeof got, name).toBe('number');
		expect(Math.abs((got as number) - expected), name).toBeLessThan(1e-12);
	} else if (typeof expected === 'object' && expected !== null) {
		for (const [key, value] of Object.entries(expected)) expectClose((got as Record<string, unknown>)[key], value, `${name}.${key}`);
	} else {
		expect(got, name).toBe(expected);
	}
}

describe('metrics of the reference sets', () => {
	it.each(sets)('are those of scikit-learn: $name', async (set) => {
		const rows = scored(set.logits, set.labels, set.num_labels);
		const metrics = await metricsOf(rows, labelsOf(set.num_labels));
		const binary = set.num_labels === 2;
		const { perLabel, ...expected } = {
			...{ loss: set.nll, accuracy: set.accuracy, ...set.macro, micro: set.micro, weighted: set.weighted },
			...{ macroPresent: set.macro_over_present_labels, mcc: set.mcc, kappa: set.kappa, logLoss: set.log_loss, ece: set.ece_15 },
			rocAuc: binary ? set.roc_auc : set.roc_auc_ovr_macro,
			averagePrecision: binary ? set.average_precision : set.average_precision_macro,
			// Of two labels every mean of the area is that of the second.
			rocAucWeighted: binary ? set.roc_auc : set.roc_auc_ovr_weighted,
			rocAucOvo: binary ? set.roc_auc : set.roc_auc_ovo_macro,
			brier: binary ? set.brier_positive_class : set.brier_sum_over_classes,
			brierSum: set.brier_sum_over_classes,
			confusion: set.confusion,
			perLabel: set.per_class.map((each, label) => ({
				...{ precision: each.precision, recall: each.recall, f1: each.f1, support: each.support },
				...{ rocAuc: set.roc_auc_per_class[label], averagePrecision: set.average_precision_per_class[label] },
			})),
		};
		expect(metrics.confusion).toEqual(set.confusion);
		expect(Object.keys(metrics).sort()).toEqual([...Object.keys(expected), 'perLabel'].sort());
		expectClose(metrics, expected, set.name);
		for (const [label, each] of perLabel.entries()) expectClose(metrics.perLabel[`label ${label}`], each, `${set.name}, label ${label}`);
	});

	it.each(sets)('and the probabilities and predictions below them: $name', (set) => {
		const probabilities = new Probabilities(scored(set.logits, set.labels, set.num_labels), 1);
		expect([...probabilities.largest]).toEqual(set.predictions);
		const bins = new Array<number>(15).fill(0);
		for (const [row, expected] of set.probabilities.entries()) {
			// Libraries may differ in the last bit of an exponential.
			for (const [label, value] of expected.entries()) expect(Math.abs(probabilities.of(row, label) - value)).toBeLessThan(1e-15);
			const bin = binOf(probabilities.of(row, probabilities.largest[row] as number));
			bins[bin] = (bins[bin] as number) + 1;
		}
		expect(bins).toEqual(set.ece_bin_counts);
	});
});

describe('metrics of random rows', () => {
	// The plainest form of every definition, whatever time it takes.
	function twin(logits: number[][], classes: number[], width: number) {
		const all = logits
			.map((row) => row.map((logit) => Math.exp(logit - Math.max(...row))))
			.map((row) => row.map((value) => value / row.reduce((a, b) => a + b)));
		const rows = classes.map((actual, row) => ({ actual, probabilities: all[row] as number[], predicted: argmax(logits[row] as number[]) }));
		const n = rows.length;
		const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
		const orNull = (value: number) => (Number.isNaN(value) ? null : value);
		const auc = (label: number, others: (actual: number) => boolean) => {
			const scoreOf = ({ probabilities }: { probabilities: number[] }) => probabilities[label] as number;
			const positives = rows.filter(({ actual }) => actual === label).map(scoreOf);
			const negatives = rows.filter(({ actual }) => actual !== label && others(actual)).map(scoreOf);
			return mean(positives.flatMap((p) => negatives.map((q) => (p > q ? 1 : p === q ? 0.5 : 0))));
		};
		const averagePrecision = (label: number) => {
			const thresholds = [...new Set(rows.map(({ probabilities }) => probabilities[label] as number))].sort((a, b) => b - a);
			const support = rows.filter(({ actual }) => actual === label).length;
			let [sum, before] = [0, 0];
			for (const threshold of thresholds) {
				const taken = rows.filter(({ probabilities }) => (probabilities[label] as number) >= threshold);
				const found = taken.filter(({ actual }) => actual === label).length;
				sum += (found / support - before / support) * (found / taken.length);
				before = found;
			}
			return sum;
		};
		const labels = [...Array(width).keys()];
		const oneHot = (index: number, label: number) => Number(index === label);
		const covariance = (a: 'actual' | 'predicted', b: 'actual' | 'predicted') =>
			labels
				.map((label) => {
					const [x, y] = [a, b].map((name) => rows.map((row) => oneHot(row[name], label))) as [number[], number[]];
					return mean(x.map((value, row) => (value - mean(x)) * ((y[row] as number) - mean(y))));
				})
				.reduce((p, q) => p + q);
		const agreement = mean(rows.map(({ actual, predicted }) => Number(actual === predicted)));
		const chance = labels
			.map((label) => mean(rows.map(({ actual }) => oneHot(actual, label))) * mean(rows.map(({ predicted }) => oneHot(predicted, label))))
			.reduce((a, b) => a + b);
		const spread = Math.sqrt(covariance('actual', 'actual') * covariance('predicted', 'predicted'));
		const error = ({ actual, probabilities }: (typeof rows)[0]) =>
			labels.map((label) => ((probabilities[label] as number) - oneHot(actual, label)) ** 2);
		const top = ({ probabilities }: { probabilities: number[] }) => Math.max(...probabilities);
		const ece = [...Array(15).keys()].map((bin) => {
			const inside = rows.filter((row) => top(row) > bin / 15 && top(row) <= (bin + 1) / 15);
			if (inside.length === 0) return 0;
			return (inside.length / n) * Math.abs(mean(inside.map(({ actual, predicted }) => Number(actual === predicted))) - mean(inside.map(top)));
		});
		const pairs = labels.flatMap((a) => labels.filter((b) => b !== a).map((b) => auc(a, (actual) => actual === b)));
		const against = labels.map((label) => auc(label, () => true));
		const supported = labels.map((label) => rows.filter(({ actual }) => actual === label).length);
		const precisions = labels.map(averagePrecision);
		return {
			loss: mean(rows.map(({ actual, probabilities }) => -Math.log(probabilities[actual] as number))),
			accuracy: agreement,
			// A spread of 1e-17 is 0 but for rounding.
			mcc: spread < 1e-9 ? 0 : covariance('actual', 'predicted') / spread,
			kappa: orNull(1 - (1 - agreement) / (1 - chance === 0 ? Number.NaN : 1 - chance)),
			rocAuc: orNull(width === 2 ? (against[1] as number) : mean(against)),
			rocAucWeighted: orNull(mean(against.map((value, label) => (value * (supported[label] as number) * width) / n))),
			rocAucOvo: orNull(mean(pairs)),
			averagePrecision: orNull(width === 2 ? (precisions[1] as number) : mean(precisions)),
			brier: mean(rows.map((row) => (width === 2 ? (error(row)[1] as number) : error(row).reduce((a, b) => a + b)))),
			ece: ece.reduce((a, b) => a + b),
		};
	}

	it('are those of the plainest form of each definition', async () => {
		const seed = 20260;
		const random = randomNumbers(seed);
		const whole = (below: number) => Math.floor(random() * below);
		let defined = 0;
		for (let round = 0; round < 300; round++) {
			const [width, count] = [2 + whole(5), 1 + whole(40)];
			// Coarse logits make ties, within rows and between them.
			const step = whole(2) === 0 ? 0.5 : 2 ** -10;
			const logits = Array.from({ length: count }, () => Array.from({ length: width }, () => Math.round((random() * 8 - 4) / step) * step));
			const classes = Array.from({ length: count }, () => whole(width));
			const got = await metricsOf(scored(logits, classes), labelsOf(width));
			const expected = twin(logits, classes, width);
			if (expected.rocAucOvo !== null) defined++;
			expectClose(got, expected, `seed ${seed}, round ${round}`);
		}
		expect(defined).toBeGreaterThan(100);
	});

	it('are the same for rows that come in portions of any size, and for more rows than a block holds', async () => {
		const random = randomNumbers(7);
		const [width, count] = [3, 2500];
		const logits = Float32Array.from({ length: count * width }, () => random() * 6);
		const classes = Int32Array.from({ length: count }, () => Math.floor(random() * width));
		const whole = new ScoredRows(width);
		whole.add(logits, classes);
		const parts = new ScoredRows(width);
		for (let row = 0; row < count; row += 7) parts.add(logits.subarray(row * width, (row + 7) * width), classes.subarray(row, row + 7));
		expect(parts.length).toBe(count);
		expect([...parts.logits(2047)]).toEqual([...logits.subarray(2047 * width, 2048 * width)]);
		expect(await metricsOf(parts, labelsOf(width))).toEqual(await metricsOf(whole, labelsOf(width)));
	});
});

describe('metrics with little to measure', () => {
	const undefinedNow = { kappa: null, rocAuc: null, rocAucWeighted: null, rocAucOvo: null, averagePrecision: null };
	const withoutNumbers = {
		rocAuc: null,
		rocAucWeighted: null,
		rocAucOvo: null,
		averagePrecision: null,
		logLoss: null,
		brier: null,
		brierSum: null,
		ece: null,
	};

	it('of no rows are zero counts, nulls, and no loss or accuracy', async () => {
		const metrics = await metricsOf(new ScoredRows(2), ['a', 'b']);
		expect(metrics).toMatchObject({ loss: Number.NaN, accuracy: Number.NaN, f1: 0, mcc: 0, ...undefinedNow, ...withoutNumbers });
		expect(metrics.perLabel.a).toEqual({ precision: 0, recall: 0, f1: 0, support: 0, rocAuc: null, averagePrecision: null });
		expect(JSON.parse(JSON.stringify(metrics))).toMatchObject({
			loss: null,
			accuracy: null,
			confusion: [
				[0, 0],
				[0, 0],
			],
		});
	});

	it('of a logit that is not a number keep the counts, in which NaN wins, and nothing else', async () => {
		for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
			const metrics = await metricsOf(
				scored(
					[
						[1, 0],
						[0, bad],
						[0, 1],
					],
					[0, 1, 0],
				),
				['a', 'b'],
			);
			expect(metrics).toMatchObject({
				...withoutNumbers,
				loss: Number.NaN,
				accuracy: 2 / 3,
				confusion: [
					[1, 1],
					[0, 1],
				],
			});
		}
	});

	it('of a logit of -Infinity take its probability as 0', async () => {
		const metrics = await metricsOf(
			scored(
				[
					[0, Number.NEGATIVE_INFINITY],
					[0, Number.NEGATIVE_INFINITY],
				],
				[0, 1],
			),
			['a', 'b'],
		);
		// Half of -log(2^-52), and half of the other row's -log(1 - 2^-52).
		expect(metrics).toMatchObject({ loss: Number.POSITIVE_INFINITY, brier: 0.5, rocAuc: 0.5, averagePrecision: 0.5, ece: 0.5 });
		expect(metrics.logLoss).toBeCloseTo(26 * Math.LN2, 12);
	});

	it('of logits of any size do not overflow', async () => {
		expect((await metricsOf(scored([[1000, 0]], [1]), ['a', 'b'])).loss).toBe(1000);
		expect((await metricsOf(scored([[1000, 0]], [0]), ['a', 'b'])).loss).toBe(0);
		expect((await metricsOf(scored([[-1000, -1000]], [1]), ['a', 'b'])).loss).toBeCloseTo(Math.LN2, 14);
	});

	it('smooth the loss alone, as Transformers does: the mean over all labels takes its share', async () => {
		const logits = [2, -1, 0.5];
		const losses = await Promise.all(logits.map(async (_, actual) => (await metricsOf(scored([logits], [actual]), labelsOf(3))).loss));
		const mean = losses.reduce((sum, value) => sum + value, 0) / 3;
		const plain = await metricsOf(scored([logits, logits], [1, 0]), labelsOf(3));
		const { loss, ...others } = await metricsOf(scored([logits, logits], [1, 0]), labelsOf(3), { labelSmoothing: 0.1 });
		expect(loss).toBeCloseTo(0.9 * (((losses[0] as number) + (losses[1] as number)) / 2) + 0.1 * mean, 14);
		expect({ ...others, loss: plain.loss }).toEqual(plain);
		expect((await metricsOf(scored([[1000, 0]], [0]), labelsOf(2), { labelSmoothing: 0.1 })).loss).toBeCloseTo(50, 12);
	});

	it('of more than 1,000 labels have all but the matrix', async () => {
		const rows = new ScoredRows(1001);
		rows.add(
			Float32Array.from({ length: 2002 }, (_, index) => Number(index === 5 || index === 1001)),
			[5, 6],
		);
		const metrics = await metricsOf(rows, labelsOf(1001));
		expect(metrics).toMatchObject({ confusion: null, accuracy: 0.5, rocAuc: null });
		expect(metrics.perLabel['label 5']).toMatchObject({ recall: 1, rocAuc: 1, averagePrecision: 1 });
	});

	it('of labels called like properties of every object are there', async () => {
		const { perLabel } = await metricsOf(scored([[1, 0]], [0]), ['__proto__', 'constructor']);
		expect(Object.keys(perLabel)).toEqual(['__proto__', 'constructor']);
	});
});

describe('argmax', () => {
	it('takes the first of equals, and NaN before any number', () => {
		expect(argmax([1, 3, 3])).toBe(1);
		expect(argmax([0, 0])).toBe(0);
		expect(argmax([-1, Number.POSITIVE_INFINITY, Number.NaN, 5, Number.NaN])).toBe(2);
		expect(argmax([Number.NaN, 9])).toBe(0);
		expect(argmax([Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY])).toBe(0);
	});
});

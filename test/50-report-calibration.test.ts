import { describe, expect, it } from 'vitest';
import { atTemperature, classOf, decisionKey, plainDecision, readDecision, softmax } from '../lib/model/decision.js';
import { bestThreshold, fitTemperature, type ThresholdMetric, thresholdMetricNames } from '../lib/report/calibration.js';
import { probabilityMetrics } from '../lib/report/probabilistic.js';
import { Probabilities, type ScoredRows } from '../lib/report/scored-rows.js';
import { scored } from './metrics.js';
import { referenceJson } from './models.js';
import { randomNumbers } from './random.js';

interface ReferenceSet {
	name: string;
	num_labels: number;
	logits: number[][];
	labels: number[];
	temperature: { value: number | null; where: string; nll: number };
	best_f1_threshold?: { threshold: number; f1: number; predicted_positive: number; same_result_above: number };
}

const { sets } = referenceJson('metrics.json.gz') as { sets: ReferenceSet[] };
const lossAt = (rows: ScoredRows, temperature: number) => probabilityMetrics(new Probabilities(rows, temperature)).loss;

/** Rows that are, more often than not, what their largest logit says; logits are multiples of `step`. */
function randomRows(random: () => number, { width, count, step }: { width: number; count: number; step: number }): ScoredRows {
	const logits = Array.from({ length: count }, () => Array.from({ length: width }, () => Math.round((random() * 8 - 4) / step) * step));
	const classes = logits.map((row) => (random() < 0.7 ? row.indexOf(Math.max(...row)) : Math.floor(random() * width)));
	return scored(logits, classes);
}

describe('temperature', () => {
	it.each(sets)('is that of the reference: $name', ({ logits, labels, num_labels, temperature }) => {
		const rows = scored(logits, labels, num_labels);
		const { value, where } = fitTemperature(rows);
		expect(where).toBe(temperature.where);
		if (temperature.value === null) expect(value).toBeNull();
		// 1e-6 relative is how far the reference's own search is good; the loss is flat there, so 1e-10.
		else expect(Math.abs((value ?? 0) / temperature.value - 1)).toBeLessThan(1e-6);
		expect(Math.abs(lossAt(rows, value ?? 1) - temperature.nll)).toBeLessThan(1e-10);
	});

	it('has no better one near it or far from it', () => {
		const seed = 411;
		const random = randomNumbers(seed);
		let interior = 0;
		for (let round = 0; round < 100; round++) {
			const rows = randomRows(random, { width: 2 + (round % 4), count: 5 + Math.floor(random() * 60), step: 0.001 });
			const { value, where } = fitTemperature(rows);
			const best = lossAt(rows, value ?? 1);
			if (where === 'interior') interior++;
			for (let exponent = -100; exponent <= 100; exponent += 5) {
				const other = Math.min(100, Math.max(0.01, (value ?? 1) * 1.05 ** exponent));
				// A few roundings of a double.
				expect(lossAt(rows, other), `seed ${seed}, round ${round}, temperature ${other}`).toBeGreaterThanOrEqual(best - 1e-14);
			}
			// The loss is convex: larger on both sides means least here.
			if (where === 'interior') {
				for (const side of [1 - 1e-5, 1 + 1e-5]) expect(lossAt(rows, (value ?? 1) * side)).toBeGreaterThan(best);
			}
		}
		expect(interior).toBeGreaterThan(50);
	});

	it('is found along the long tail of logits far apart', () => {
		// One row of a thousand is wrong, at a margin of 50: the slope is all but 0 over most of the bracket.
		const rows = scored(
			Array.from({ length: 1000 }, () => [0, 50]),
			Array.from({ length: 1000 }, (_, row) => Number(row > 0)),
		);
		// sigmoid(50 / T) = 0.999
		expect(fitTemperature(rows).value).toBeCloseTo(50 / Math.log(999), 10);
	});

	it('moves a threshold with it, so that no label changes', () => {
		const random = randomNumbers(5);
		for (let round = 0; round < 200; round++) {
			const rows = randomRows(random, { width: 2, count: 30, step: 0.01 });
			const [before, after] = [0.05 + 5 * random(), 0.05 + 5 * random()];
			const { threshold } = bestThreshold(new Probabilities(rows, before), 'accuracy');
			const moved = atTemperature({ temperature: before, threshold }, after);
			expect(moved.temperature).toBe(after);
			const labelsOf = (probabilities: Probabilities, limit: number | null) =>
				Array.from({ length: rows.length }, (_, row) => Number(probabilities.of(row, 1) >= (limit ?? 0.5)));
			expect(labelsOf(new Probabilities(rows, after), moved.threshold)).toEqual(labelsOf(new Probabilities(rows, before), threshold));
		}
		expect(atTemperature({ temperature: 1, threshold: 0 }, 2).threshold).toBe(0);
		expect(atTemperature(plainDecision, 2)).toEqual({ temperature: 2, threshold: null });
	});
});

describe('threshold', () => {
	it.each(sets.filter((set) => set.best_f1_threshold !== undefined))('is that of the reference: $name', ({ logits, labels, best_f1_threshold }) => {
		const got = bestThreshold(new Probabilities(scored(logits, labels), 1), 'f1');
		expect(got.predictedPositive).toBe(best_f1_threshold?.predicted_positive);
		// One division each; probabilities to the last bits of an exponential.
		expect(got.value).toBe(best_f1_threshold?.f1);
		expect(Math.abs(got.threshold - (best_f1_threshold?.threshold ?? 0))).toBeLessThan(1e-15);
		expect(Math.abs(got.sameResultAbove - (best_f1_threshold?.same_result_above ?? 0))).toBeLessThan(1e-15);
	});

	// The definitions, from rates instead of counts.
	const definitions: Record<ThresholdMetric, (hits: boolean[], positive: boolean[]) => number> = {
		f1: (hits, positive) => {
			const both = hits.filter((hit, row) => hit && positive[row]).length;
			const [precision, recall] = [both / hits.filter(Boolean).length, both / positive.filter(Boolean).length];
			return both === 0 ? 0 : (2 * precision * recall) / (precision + recall);
		},
		accuracy: (hits, positive) => hits.filter((hit, row) => hit === positive[row]).length / hits.length,
		youden: (hits, positive) => {
			const rate = (of: boolean) => hits.filter((hit, row) => hit && positive[row] === of).length / positive.filter((each) => each === of).length;
			return rate(true) - rate(false);
		},
		mcc: (hits, positive) => {
			const mean = (values: boolean[]) => values.filter(Boolean).length / values.length;
			const [p, q] = [mean(hits), mean(positive)];
			const spread = Math.sqrt(p * (1 - p) * q * (1 - q));
			return spread === 0 ? 0 : (mean(hits.map((hit, row) => hit && positive[row] === true)) - p * q) / spread;
		},
	};

	it.each(thresholdMetricNames)('of %s is the best of all, the lowest of those as good', (metric) => {
		const seed = 77;
		const random = randomNumbers(seed);
		for (let round = 0; round < 200; round++) {
			const rows = randomRows(random, { width: 2, count: 2 + Math.floor(random() * 30), step: round % 2 === 0 ? 1 : 0.001 });
			const positive = Array.from({ length: rows.length }, (_, row) => rows.classOf(row) === 1);
			if (new Set(positive).size < 2) continue;
			const probabilities = new Probabilities(rows, 0.7);
			const all = positive.map((_, row) => probabilities.of(row, 1));
			const valueAt = (limit: number) =>
				definitions[metric](
					all.map((probability) => probability >= limit),
					positive,
				);
			const { threshold, value, predictedPositive, sameResultAbove } = bestThreshold(probabilities, metric);
			const where = `seed ${seed}, round ${round}`;
			// Rates are divided twice where counts are once: 1e-12 tells ties from thresholds that are better.
			expect(Math.abs(value - valueAt(threshold)), where).toBeLessThan(1e-12);
			for (const other of all) expect(valueAt(other), where).toBeLessThanOrEqual(value + 1e-12);
			for (const lower of all.filter((other) => other < threshold)) expect(valueAt(lower), where).toBeLessThan(value - 1e-12);
			expect(predictedPositive, where).toBe(all.filter((probability) => probability >= threshold).length);
			expect(sameResultAbove, where).toBe(Math.max(0, ...all.filter((other) => other < threshold)));
		}
	});
});

describe('the settings in config.json', () => {
	const read = (value: unknown, labels = 2) => readDecision(value, labels, (reason) => new Error(reason));

	it('are read as they were written, and absent where nothing was set', () => {
		for (const decision of [
			plainDecision,
			{ temperature: 1.3, threshold: null },
			{ temperature: 1, threshold: 0.1 + 0.2 },
			{ temperature: 100, threshold: 0 },
		]) {
			expect(read(JSON.parse(JSON.stringify(decisionKey(decision))).distiltune)).toEqual(decision);
		}
		expect(decisionKey(plainDecision)).toEqual({});
		expect(read(undefined, 5)).toEqual(plainDecision);
		expect(read({}, 5)).toEqual(plainDecision);
	});

	it.each([
		['distiltune is not an object', null],
		['distiltune is not an object', [1]],
		['distiltune is not an object', 'temperature'],
		['"tempreature", expected only temperature and threshold', { tempreature: 1 }],
		['"__proto__"', JSON.parse('{ "__proto__": { "temperature": 2 } }')],
		['distiltune.temperature', { temperature: 0 }],
		['distiltune.temperature', { temperature: -1 }],
		['distiltune.temperature', { temperature: 101 }],
		['distiltune.temperature', { temperature: null }],
		['distiltune.temperature', { temperature: '1' }],
		['distiltune.temperature', { temperature: Number.NaN }],
		['distiltune.threshold', { threshold: 1.5 }],
		['distiltune.threshold', { threshold: -0.1 }],
		['distiltune.threshold', { threshold: [0.5] }],
	])('are refused with the reason %s: %j', (reason, value) => {
		expect(() => read(value)).toThrow(reason);
	});

	it('hold no threshold where there are not two labels', () => {
		expect(() => read({ threshold: 0.5 }, 3)).toThrow('two labels');
		expect(read({ temperature: 2 }, 3)).toEqual({ temperature: 2, threshold: null });
	});

	it('decide as they say', () => {
		expect(softmax([0, 2], 2)).toEqual(softmax([0, 1]));
		expect(classOf(0, 0.4, { temperature: 1, threshold: 0.4 })).toBe(1);
		expect(classOf(1, 0.6, { temperature: 1, threshold: 0.7 })).toBe(0);
		expect(classOf(1, 0.6, plainDecision)).toBe(1);
		expect(classOf(1, Number.NaN, { temperature: 1, threshold: 0.7 })).toBe(1);
	});
});

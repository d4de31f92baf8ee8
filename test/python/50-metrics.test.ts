import { describe, expect, it } from 'vitest';
import { Tally } from '../../lib/report/metrics.js';
import { python, randomNumbers } from './python.js';

// Metrics of random sets, held to scikit-learn's. The sets of test/fixtures are fixed; these are other ones.

interface Measured {
	readonly metrics: Record<string, number>;
	readonly labels: Record<string, number>[];
}

/** Logits rounded so coarsely that ties occur; some sets leave out a class, or are guessed right nowhere. */
function randomSet(index: number) {
	const random = randomNumbers(index);
	const width = 2 + (index % 5);
	const rows = 1 + Math.floor(random() * 200);
	const leftOut = index % 3 === 0 ? width - 1 : width;
	const logits = Array.from({ length: rows }, () => Array.from({ length: width }, () => Math.round((random() - 0.5) * 40) / 4));
	const actual = logits.map((own) => (index % 7 === 0 ? own.indexOf(Math.min(...own)) : Math.floor(random() * leftOut)));
	return { logits, actual };
}

describe('metrics of 200 random sets', () => {
	const sets = Array.from({ length: 200 }, (_, index) => randomSet(index));
	const theirs = python('metrics.py', sets) as Measured[];

	// Sums of at most 200 terms in double, taken in another order. log_loss clips probabilities at 1e-16, which these logits do not reach.
	const digits = 12;

	it('are those of scikit-learn, every one there is', () => {
		for (const [index, { logits, actual }] of sets.entries()) {
			const names = (logits[0] ?? []).map((_, label) => `label ${label}`);
			const tally = new Tally(names);
			tally.addLogits(Float32Array.from(logits.flat()), Int32Array.from(actual));
			const expected = theirs[index] as Measured;
			expect(Object.keys(expected.metrics).sort(), 'names').toEqual(Object.keys(tally.metrics()).sort());
			for (const [name, value] of Object.entries(tally.metrics()))
				expect(value, `${name} of set ${index}`).toBeCloseTo(expected.metrics[name] as number, digits);
			for (const [label, own] of Object.values(tally.byLabel()).entries()) {
				for (const [name, value] of Object.entries(own))
					expect(value, `${name} of label ${label}, set ${index}`).toBeCloseTo(expected.labels[label]?.[name] as number, digits);
			}
		}
	});
});

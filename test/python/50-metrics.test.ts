import { describe, expect, it } from 'vitest';
import { metricsOf } from '../../lib/report/metrics.js';
import { labelsOf, scored } from '../metrics.js';
import { python, randomNumbers } from './python.js';

// Metrics of random sets, held to scikit-learn's. The sets of test/fixtures are fixed; these are other ones.

interface Measured {
	readonly metrics: Record<string, unknown>;
	readonly labels: Record<string, number | null>[];
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

/** Numbers to twelve digits: sums of at most 200 terms in double, taken in another order. log_loss clips where these logits do not reach. */
function expectClose(ours: unknown, theirs: unknown, name: string): void {
	if (typeof theirs === 'number') expect(ours, name).toBeCloseTo(theirs, 12);
	else if (typeof theirs !== 'object' || theirs === null) expect(ours, name).toBe(theirs);
	else for (const [key, value] of Object.entries(theirs)) expectClose((ours as Record<string, unknown>)[key], value, `${name}.${key}`);
}

describe('metrics of 200 random sets', () => {
	const sets = Array.from({ length: 200 }, (_, index) => randomSet(index));
	const theirs = python('metrics.py', sets) as Measured[];

	it('are those of scikit-learn', async () => {
		for (const [index, { logits, actual }] of sets.entries()) {
			const labels = labelsOf(logits[0]?.length ?? 0);
			const ours = await metricsOf(scored(logits, actual), labels);
			const expected = theirs[index] as Measured;
			expectClose(ours, expected.metrics, `set ${index}`);
			for (const [label, name] of labels.entries()) expectClose(ours.perLabel[name], expected.labels[label], `set ${index}, ${name}`);
		}
	});
});

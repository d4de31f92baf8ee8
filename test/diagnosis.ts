import { diagnose } from '../lib/report/diagnosis/diagnose.js';
import { factsOf } from '../lib/report/diagnosis/facts.js';
import { Curve } from '../lib/train/curve.js';
import type { RunFinding } from '../lib/train/finding.js';

// Records of runs that never were: a healthy one, and what is changed about it.

type Changes = Readonly<Record<string, unknown>>;

/** Losses by step (1-based) of a run. */
export interface Course {
	readonly steps?: number;
	readonly loss?: (step: number) => number;
	readonly gradNorm?: (step: number) => number;
	readonly learningRate?: (step: number) => number;
}

/** Falls from a guess to .1 within sixty steps, with noise that repeats. */
const falling = (step: number) => 0.1 + 0.6 * Math.exp(-step / 20) + 0.03 * Math.sin(step * 7);

export function curveOf({ steps = 120, loss = falling, gradNorm = () => 4, learningRate = () => 5e-5 }: Course = {}) {
	const curve = new Curve();
	for (let step = 1; step <= steps; step++) curve.add({ step, loss: loss(step), gradNorm: gradNorm(step), learningRate: learningRate(step) });
	return curve.record;
}

/** `right` of `rows` in each of two labels of equal size. */
export const matrix = (rows: number, right: number) => [
	[right, rows - right],
	[rows - right, right],
];

export function evaluationOf(epoch: number, loss: number, epochLoss: number, confusion = matrix(200, 185), more: Changes = {}) {
	const rows = confusion.flat().reduce((a, b) => a + b);
	const accuracy = confusion.reduce((sum, counts, label) => sum + (counts[label] as number), 0) / rows;
	return { step: 40 * epoch, epoch, rows, epochLoss, metrics: { loss, accuracy, confusion, ...more } };
}

/** A healthy run of three epochs of 40 steps on 320 rows. */
export const healthyRun = {
	status: 'finished',
	config: { model: 'minilm-l6', train: 'train.csv', eval: 'eval.csv', learningRate: 5e-5, outputDir: 'out' },
	labels: ['calm', 'worried'],
	plan: { stepsPerEpoch: 40, totalSteps: 120 },
	rows: { train: 320, perLabel: [160, 160], eval: 400, shared: 0 },
	curve: curveOf(),
	movement: { step: 120, head: { start: 0.02, change: 0.002 }, encoder: { start: 0.04, change: 0.001 } },
	drawnFromSeed: ['classifier.weight', 'classifier.bias'],
	epochs: [],
	evaluations: [evaluationOf(1, 0.3, 0.45), evaluationOf(2, 0.25, 0.2), evaluationOf(3, 0.26, 0.12)],
};

export const findingsOf = (changes: Changes): RunFinding[] => diagnose(factsOf({ ...healthyRun, ...changes }));
export const codesOf = (changes: Changes): string[] => findingsOf(changes).map(({ code }) => code);

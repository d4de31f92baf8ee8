import { describe, expect, it } from 'vitest';
import { loadEngine } from '../lib/runtime/load.js';
import type { LossOptions } from '../lib/runtime/native.js';
import { type Rows, ragged, referenceJson, sessionOptions, tinyShape } from './models.js';

// That a session's loss is the one it was opened with, of the labels it was given; the losses themselves are tested in
// native/engine/test/loss_test.cpp.

const engine = loadEngine();
const { batches } = referenceJson('tiny-curves.json.gz') as { batches: Rows[] };
const batch = ragged(batches[0] as Rows);
const classes = batch.labels;
const { labels: outputs } = tinyShape;
const cells = classes.length * outputs;
const marks = Float32Array.from({ length: cells }, (_, at) => (at % 5 < 2 ? 1 : 0.25));
const targets = Float32Array.from({ length: cells }, (_, at) => at / 4 - 1);

const open = (loss: Partial<LossOptions>) => engine.openSession(sessionOptions({ loss: { kind: 'single_label', labelSmoothing: 0, ...loss } }));

type Logits = readonly number[];
const sum = (values: Logits) => values.reduce((total, value) => total + value, 0);
const mean = (values: Logits) => sum(values) / values.length;
/** of(-log p of each class, class of the row) for each row. */
const overRows = (logits: Logits, of: (nll: Logits, wanted: number) => number): number[] =>
	[...classes].map((wanted, row) => {
		const own = logits.slice(row * outputs, (row + 1) * outputs);
		return of(
			own.map((logit) => Math.log(sum(own.map(Math.exp))) - logit),
			wanted,
		);
	});
const at = (values: Logits | Float32Array, index: number) => values[index] as number;
const weights = [0.5, 2, 3];

const losses: [name: string, Partial<LossOptions>, labels: Int32Array | Float32Array, of: (logits: Logits) => number][] = [
	['single label', {}, classes, (x) => mean(overRows(x, at))],
	['label smoothing', { labelSmoothing: 0.2 }, classes, (x) => mean(overRows(x, (nll, wanted) => 0.8 * at(nll, wanted) + 0.2 * mean(nll)))],
	[
		'class weights',
		{ classWeights: weights },
		classes,
		(x) => sum(overRows(x, (nll, wanted) => at(weights, wanted) * at(nll, wanted))) / sum(overRows(x, (_, wanted) => at(weights, wanted))),
	],
	['focal', { focalGamma: 2 }, classes, (x) => mean(overRows(x, (nll, wanted) => (1 - Math.exp(-at(nll, wanted))) ** 2 * at(nll, wanted)))],
	['multi label', { kind: 'multi_label' }, marks, (x) => mean(x.map((logit, cell) => Math.log1p(Math.exp(logit)) - logit * at(marks, cell)))],
	['regression', { kind: 'regression' }, targets, (x) => mean(x.map((logit, cell) => (logit - at(targets, cell)) ** 2))],
];

it.each(losses)('%s: the loss and its slope', async (_, options, labels, of) => {
	const session = await open(options);
	const logits = [...(await session.logits(batch))];
	const [loss] = await session.accumulate([{ ...batch, labels }], 1);
	expect(Math.abs((loss as number) - of(logits))).toBeLessThan(1e-9); // in double, of the same float logits
	const bias = await session.gradient('classifier.bias');
	for (let output = 0; output < outputs; output++) {
		const shifted = (by: number) => of(logits.map((logit, cell) => (cell % outputs === output ? logit + by : logit)));
		// Slopes of a few rows near 1, rounded to float; and a difference of 1e-4 to both sides, off by its square.
		expect(Math.abs((shifted(1e-4) - shifted(-1e-4)) / 2e-4 - at(bias, output))).toBeLessThan(1e-6);
	}
	await session.close();
});

describe('labels', () => {
	const single = { kind: 'single_label' } as const;
	const multi = { kind: 'multi_label' } as const;
	const regression = { kind: 'regression' } as const;
	const refused: [what: string, Partial<LossOptions>, labels: unknown][] = [
		['values where classes are wanted', single, marks],
		['too few classes', single, classes.slice(1)],
		['a class the model has not', single, classes.map(() => outputs)],
		['a negative class other than -100', single, classes.map(() => -1)],
		['no labels', single, undefined],
		['plain numbers', single, [...classes]],
		['classes where marks are wanted', multi, classes],
		['a mark for each row alone', multi, marks.slice(0, classes.length)],
		['a mark above 1', multi, marks.map(() => 1.5)],
		['a mark that is no number', multi, marks.map(() => Number.NaN)],
		['doubles', multi, Float64Array.from(marks)],
		['classes where values are wanted', regression, classes],
		['a value for each row alone', regression, targets.slice(0, classes.length)],
		['a value without end', regression, targets.map(() => Number.POSITIVE_INFINITY)],
		['no values', regression, undefined],
	];

	it.each(refused)('%s: refused', async (_, loss, labels) => {
		const session = await open(loss);
		await expect(session.step([{ ...batch, labels: labels as Int32Array }], 1e-3)).rejects.toMatchObject({ code: 'BATCH_INVALID' });
		await session.close();
	});
});

describe('options that do not go together', () => {
	const refused: [what: string, Partial<LossOptions>][] = [
		['smoothing above 1', { labelSmoothing: 1.1 }],
		['a weight too few', { classWeights: [1, 2] }],
		['a negative weight', { classWeights: [1, 2, -1] }],
		['focal and smoothed', { focalGamma: 2, labelSmoothing: 0.1 }],
		['focal and weighted', { focalGamma: 2, classWeights: weights }],
		['smoothed marks', { kind: 'multi_label', labelSmoothing: 0.1 }],
		['a focal regression', { kind: 'regression', focalGamma: 2 }],
	];
	it.each(refused)('%s: refused', async (_, loss) => {
		await expect(open(loss)).rejects.toMatchObject({ code: 'LOSS_INVALID' });
	});
});

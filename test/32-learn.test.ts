import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Classifier } from '../lib/classifier.js';
import type { LearnOptions } from '../lib/classify/options.js';
import type { Row } from '../lib/data/row.js';
import { type DataInput, Dataset } from '../lib/dataset.js';
import type { Prediction } from '../lib/model/answer.js';
import { rowsToLearn } from './learn.js';
import { fixture } from './models.js';

const tiny = fixture('tiny-model');
const rows = rowsToLearn(36);
const texts = ['I feel fine', '', 'x '.repeat(500), 'no one is here, and it is dark', 'what a day! '.repeat(9)];

let classifier: Classifier;
let before: Prediction[];
beforeEach(async () => {
	classifier = await Classifier.load(tiny);
	before = await classifier.predict(texts);
});
afterEach(() => classifier.dispose());

describe('the new head', () => {
	test('is what evaluate measures, before and after', async () => {
		const old = (await classifier.evaluate(rows)).metrics;
		const learned = await classifier.learn(rows);
		const fresh = (await classifier.evaluate(rows)).metrics;
		expect(Object.keys(learned)).toEqual(['rows', 'truncated', 'iterations', 'before', 'after', 'seconds']);
		expect(learned).toMatchObject({ rows: 36, truncated: 0, before: { accuracy: old.accuracy }, after: { accuracy: fresh.accuracy } });
		expect(learned.iterations).toBeGreaterThan(1);
		expect(learned.seconds).toBeGreaterThan(0);
		// evaluate has its logits from sums in float32: seven digits
		expect(learned.before.loss).toBeCloseTo(old.loss, 6);
		expect(learned.after.loss).toBeCloseTo(fresh.loss, 6);
		expect(learned.after.loss).toBeLessThan(learned.before.loss);
		expect(learned.after.accuracy).toBe(1);
	});

	test('depends on the rows alone: not on the head before, not on threads', async () => {
		const first = await classifier.learn(rows);
		const after = await classifier.predict(texts);
		expect(after).not.toEqual(before);
		const again = await classifier.learn(rows);
		expect(again).toEqual({ ...first, before: first.after, seconds: again.seconds });
		expect(await classifier.predict(texts)).toEqual(after);
		await using other = await Classifier.load(tiny, { threads: 3 });
		await other.learn(rowsToLearn(6));
		await other.learn(rows);
		expect(await other.predict(texts)).toEqual(after);
	});

	test('is pulled to 0 by l2: the more, the less sure', async () => {
		const losses: number[] = [];
		for (const l2 of [0.01, 1, 10]) {
			await using other = await Classifier.load(tiny);
			losses.push((await other.learn(rows, { l2 })).after.loss);
		}
		expect(losses).toEqual([...losses].sort((a, b) => a - b));
		expect(new Set(losses).size).toBe(3);
	});

	test('needs one row a label', async () => {
		expect(await classifier.learn(rowsToLearn(3))).toMatchObject({ rows: 3, after: { accuracy: 1 } });
	});

	test('comes from whatever evaluate takes: several portions, cut texts', async () => {
		const many = rowsToLearn(600);
		const learned = await classifier.learn(
			Dataset.fromArray(
				(async function* () {
					yield* many;
				})(),
			),
			{ maxLength: 6 },
		);
		const { rows: counted, truncated } = await classifier.evaluate(many, { maxLength: 6 });
		expect(learned).toMatchObject({ rows: counted, truncated });
		expect(truncated).toBeGreaterThan(0);
	});
});

describe('a rejected learn leaves the old head to the bit', () => {
	const unknown = [{ text: 'x', label: 'lost' }, ...rows, { text: 'y', label: 7 }, { text: 'z', label: 'lost' }];
	const failures: [string, DataInput, LearnOptions, object][] = [
		[
			'unknown labels, all of them in one error',
			unknown,
			{},
			{
				name: 'DataError',
				code: 'LABEL_UNKNOWN',
				line: 1,
				message: 'Expected every label of rows in memory to be one of calm, worried, alarmed, got "lost" (rows 1, 39), "7" (row 38)',
				details: {
					rows: 3,
					unknown: [
						{ label: 'lost', rows: 2, lines: [1, 39] },
						{ label: '7', rows: 1, lines: [38] },
					],
				},
			},
		],
		[
			'more unknown labels than a sentence holds',
			Array.from({ length: 60 }, (_, i) => ({ text: 'x', label: i < 8 ? 'lost' : i })),
			{},
			{ message: expect.stringMatching(/"lost" \(rows 1, 2, 3, 4, 5 and 3 more\), "8" \(row 9\), .*, 43 other labels$/), details: { rows: 60 } },
		],
		['a label without rows', rows.filter(({ label }) => label !== 'worried'), {}, { name: 'DataError', code: 'LABEL_WITHOUT_ROWS' }],
		[
			'one label only',
			rows.filter(({ label }) => label === 'calm'),
			{},
			{ code: 'LABEL_WITHOUT_ROWS', details: { missing: ['worried', 'alarmed'] } },
		],
		['no row', [], {}, { name: 'DataError', code: 'NO_ROWS' }],
		['a row without a text', [...rows, { label: 'calm' } as Row], {}, { name: 'DataError', code: 'TEXT_INVALID', line: 37 }],
		['too few iterations', rows, { maxIterations: 2 }, { name: 'TrainingError', code: 'LEARN_NOT_CONVERGED', details: { iterations: 2 } }],
		['a signal that is aborted', rows, { signal: AbortSignal.abort('enough') }, { name: 'AbortError', code: 'ABORTED', cause: 'enough' }],
		...[0, -1, Number.NaN, Number.POSITIVE_INFINITY, '1'].map((l2): [string, DataInput, LearnOptions, object] => [
			`l2 ${JSON.stringify(l2)} ${l2}`,
			rows,
			{ l2: l2 as number },
			{ name: 'ConfigError', code: 'OPTIONS_INVALID', message: expect.stringContaining('`l2`') },
		]),
		[
			'every faulty option in one error',
			rows,
			{ l2: 0, maxIterations: 0, maxLength: 129 },
			{
				code: 'OPTIONS_INVALID',
				message:
					'Expected `l2` to be a number above 0, got 0; Expected `maxIterations` to be a whole number from 1 up, got 0; Expected `maxLength` to be a whole number from 2 to 128, got 129',
			},
		],
	];

	test.each(failures)('%s', async (_, input, options, error) => {
		await expect(classifier.learn(input, options)).rejects.toMatchObject(error);
		expect(await classifier.predict(texts)).toEqual(before);
		expect(await classifier.learn(rows)).toHaveProperty('rows', 36);
	});

	test('a head that fits the rows less well than the old one, which keeps its temperature too', async () => {
		await classifier.learn(rows, { l2: 0.01 });
		await classifier.calibrate(rows);
		const { temperature } = classifier;
		expect(temperature).not.toBe(1);
		const kept = await classifier.predict(texts);
		await expect(classifier.learn(rows, { l2: 100 })).rejects.toMatchObject({ name: 'TrainingError', code: 'LEARN_NO_GAIN' });
		expect(classifier.temperature).toBe(temperature);
		expect(await classifier.predict(texts)).toEqual(kept);
	});
});

/** `rows`, then whatever `last` does, while the call waits for the end. */
async function* rowsThen(last: () => unknown): AsyncGenerator<Row> {
	yield* rows;
	await last();
}

describe('calls at the same time', () => {
	test('predict has one head from first to last: the old one where it was made before', async () => {
		const many = Array.from({ length: 600 }, (_, i) => texts[i % texts.length] as string);
		const early = classifier.predict(many);
		let finished = false;
		early.then(() => {
			finished = true;
		});
		const learning = classifier.learn(rows);
		const during = classifier.predict(texts);
		await learning;
		expect(finished).toBe(false); // so the head changed while the call was under way
		const late = classifier.predict(texts);
		expect(await during).toEqual(before);
		for (const [i, prediction] of (await early).entries()) expect(prediction, `text ${i}`).toEqual(before[i % texts.length]);
		for (const prediction of await late) expect(before).not.toContainEqual(prediction);
	});

	test('evaluate measures the head, and the temperature, it began with', async () => {
		await classifier.calibrate(rows);
		expect(classifier.temperature).not.toBe(1);
		const { metrics } = await classifier.evaluate(rows);
		let learning: Promise<unknown> | undefined;
		// The rows are read when the head changes, so all logits come after it.
		const measured = await classifier.evaluate(rowsThen(() => (learning = classifier.learn(rows))));
		await learning;
		expect(measured.metrics).toEqual(metrics);
		expect((await classifier.evaluate(rows)).metrics.loss).toBeLessThan(metrics.loss);
	});

	test('a signal stops learning under way, and the old head stays', async () => {
		const controller = new AbortController();
		const stopped = classifier.learn(
			rowsThen(() => controller.abort('enough')),
			{ signal: controller.signal },
		);
		await expect(stopped).rejects.toMatchObject({ name: 'AbortError', cause: 'enough' });
		expect(await classifier.predict(texts)).toEqual(before);
	});

	test.each(['learn', 'calibrate'] as const)('%s during learn is refused, and the first goes on', async (name) => {
		const first = classifier.learn(rows);
		await expect(classifier[name](rows)).rejects.toMatchObject({ name: 'DistiltuneError', code: 'CLASSIFIER_BUSY' });
		expect(await first).toHaveProperty('rows', 36);
		expect(await classifier[name](rows)).toHaveProperty('rows', 36);
	});

	test('learn during calibrate is refused: the temperature would be that of another head', async () => {
		const first = classifier.calibrate(rows);
		await expect(classifier.learn(rows)).rejects.toMatchObject({ code: 'CLASSIFIER_BUSY' });
		await first;
	});

	test('dispose ends a learn under way, and later ones are refused', async () => {
		let disposed: Promise<void> | undefined;
		const learning = classifier.learn(
			rowsThen(() => {
				disposed = classifier.dispose();
			}),
		);
		await expect(learning).rejects.toMatchObject({ code: 'CLASSIFIER_CLOSED' });
		await disposed;
		await expect(classifier.learn(rows)).rejects.toMatchObject({ code: 'CLASSIFIER_CLOSED' });
	});

	test('the event loop is free while a head is fitted', async () => {
		let turns = 0;
		const timer = setInterval(() => turns++, 1);
		await classifier.learn(rowsToLearn(600)).finally(() => clearInterval(timer));
		expect(turns).toBeGreaterThan(3); // one a portion at the least; a fit on this thread would leave none
	});
});

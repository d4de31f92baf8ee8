import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Classifier, type PredictOptions, type ProblemType, Tokenizer } from '../lib/index.js';
import { loadBase } from '../lib/runtime/load.js';
import { fixture, tinyShape, tinyWeights } from './models.js';
import { readSafetensors, safetensors } from './safetensors.js';

// topK, threshold and windows, for each kind of problem.

const tiny = fixture('tiny-model');
const long = 'no one is here, and it is dark. I feel fine! '.repeat(20);
let folder: string;
let classifier: Classifier;

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), 'distiltune-'));
	classifier = await Classifier.load(tiny);
});
afterAll(async () => {
	await classifier.dispose();
	await rm(folder, { recursive: true });
});

/** The tiny model as if trained for another problem: `keep` of its three outputs stay. */
async function tinyFor<Problem extends ProblemType>(problemType: Problem, keep: 1 | 2 | 3): Promise<Classifier<Problem>> {
	const copy = join(folder, `${problemType}-${keep}`);
	await cp(tiny, copy, { recursive: true });
	const config = JSON.parse(await readFile(join(tiny, 'config.json'), 'utf8'));
	const labels = ['calm', 'worried', 'alarmed'].slice(0, keep);
	const id2label = Object.fromEntries(labels.map((label, id) => [id, label]));
	const label2id = Object.fromEntries(labels.map((label, id) => [label, id]));
	await writeFile(join(copy, 'config.json'), JSON.stringify({ ...config, problem_type: problemType, id2label, label2id, num_labels: keep }));
	const parts = readSafetensors(await readFile(tinyWeights)).map((tensor) =>
		tensor.name.startsWith('classifier.')
			? { ...tensor, shape: [keep, ...tensor.shape.slice(1)], data: tensor.data.subarray(0, (tensor.data.length / 3) * keep) }
			: tensor,
	);
	await writeFile(join(copy, 'model.safetensors'), safetensors(parts));
	return Classifier.load(copy, { problemType });
}

describe('threshold', () => {
	test('of several labels gives those with at least that score', async () => {
		await using several = await tinyFor('multi_label_classification', 3);
		const { scores } = await several.predict('I feel fine');
		for (const threshold of [0, 1, ...Object.values(scores)]) {
			const { labels } = await several.predict('I feel fine', { threshold });
			expect(labels).toEqual(several.labels.filter((label) => (scores[label] as number) >= threshold));
		}
		const [best = 0, second = 0] = Object.values(scores).sort((a, b) => b - a);
		expect(await several.predict('I feel fine', { topK: 3, threshold: second })).toHaveLength(2);
		expect(await several.predict('I feel fine', { topK: 1, threshold: second })).toMatchObject([{ score: best }]);
		expect(await several.predict('I feel fine', { topK: 3, threshold: 1 })).toEqual([]);
	});

	test('of two labels gives the second from that score on, whatever was tuned', async () => {
		await using two = await tinyFor('single_label_classification', 2);
		const { scores } = await two.predict('I feel fine');
		const { calm, worried } = scores as { calm: number; worried: number };
		expect(await two.predict('I feel fine', { threshold: worried })).toMatchObject({ label: 'worried', score: worried, scores });
		expect(await two.predict('I feel fine', { threshold: worried + 1e-9 })).toMatchObject({ label: 'calm', score: calm });
		await two.tuneThreshold([
			{ text: 'I feel fine', label: 'worried' },
			{ text: 'what a dark day', label: 'calm' },
		]);
		expect(two.threshold).not.toBeNull();
		expect(await two.predict('I feel fine', { threshold: 1 })).toMatchObject({ label: 'calm' });
		expect(await two.predict('I feel fine', { threshold: 0 })).toMatchObject({ label: 'worried' });
	});

	test('of three labels leaves out of the list what has less', async () => {
		const all = await classifier.predict('I feel fine', { topK: 3 });
		const second = all[1]?.score as number;
		expect(await classifier.predict('I feel fine', { topK: 3, threshold: second })).toEqual(all.slice(0, 2));
	});
});

describe('windows', () => {
	/** What the model says of parts of a text, cut by hand from its ids. */
	async function parts(maxLength: number, stride: number): Promise<number[][]> {
		const tokenizer = await Tokenizer.load(tiny);
		const { ids } = tokenizer.encode(long);
		tokenizer.dispose();
		const predictor = await loadBase().openPredictor({ weights: tinyWeights, shape: tinyShape, threads: 1 });
		const [first, last] = [ids[0] as number, ids.at(-1) as number];
		const content = ids.slice(1, -1);
		const scores: number[][] = [];
		for (let start = 0; ; start += maxLength - 2 - stride) {
			const row = [first, ...content.slice(start, start + maxLength - 2), last];
			const exponentials = Array.from(await predictor.logits({ ids: Int32Array.from(row), offsets: Int32Array.of(0, row.length) }), Math.exp);
			scores.push(exponentials.map((value) => value / exponentials.reduce((a, b) => a + b)));
			if (start + maxLength - 2 >= content.length) break;
		}
		await predictor.close();
		return scores;
	}

	test.each([
		['mean', 128, 0],
		['mean', 20, 5],
		['max', 20, 17],
		['max', 3, 0],
	] as const)('%s of the scores of rows of %i tokens that share %i', async (aggregate, maxLength, stride) => {
		const scores = await parts(maxLength, stride);
		expect(scores.length).toBeGreaterThan(1);
		const options: PredictOptions = { maxLength, windows: { stride, aggregate } };
		const got = await classifier.predict(long, options);
		const wanted = classifier.labels.map((_, label) => {
			const each = scores.map((row) => row[label] as number);
			return aggregate === 'max' ? Math.max(...each) : each.reduce((a, b) => a + b) / each.length;
		});
		// Sums of at most some hundred doubles, in another order.
		for (const [label, score] of Object.values(got.scores).entries()) expect(score).toBeCloseTo(wanted[label] as number, 13);
		expect(got.score).toBe(Math.max(...Object.values(got.scores)));
		expect(got.scores[got.label]).toBe(got.score);
		const tokenizer = await Tokenizer.load(tiny);
		expect(got).toMatchObject({ truncated: false, tokens: tokenizer.count(long) });
		tokenizer.dispose();
		expect(await classifier.predict(['I', long, ''], options)).toEqual([await classifier.predict('I'), got, await classifier.predict('')]);
	});

	test('the mean is the default, and a text that fits is what it is without', async () => {
		expect(await classifier.predict(long, { windows: { stride: 9 } })).toEqual(
			await classifier.predict(long, { windows: { stride: 9, aggregate: 'mean' } }),
		);
		expect(await classifier.predict('I feel fine', { windows: { stride: 9 } })).toEqual(await classifier.predict('I feel fine'));
		const { scores } = await classifier.predict(long, { windows: { stride: 9 } });
		expect(Object.values(scores).reduce((a, b) => a + b)).toBeCloseTo(1, 14);
	});

	test('of a regression are joined too, and a list of the best is taken from what was joined', async () => {
		await using regression = await tinyFor('regression', 1);
		const options = (aggregate: 'mean' | 'max') => ({ maxLength: 40, windows: { stride: 0, aggregate } });
		const [mean, max] = [await regression.predict(long, options('mean')), await regression.predict(long, options('max'))];
		expect(max.value).toBeGreaterThan(mean.value);
		const { scores } = await classifier.predict(long, options('max'));
		const ranked = await classifier.predict(long, { ...options('max'), topK: 1 });
		expect(ranked).toEqual([{ label: expect.any(String), score: Math.max(...Object.values(scores)) }]);
	});
});

test('all that is wrong with the options is said at once', async () => {
	const bad = { maxLength: 2, topK: 0, threshold: 2, windows: { stride: -1, aggregate: 'sum' as 'max' } };
	await expect(classifier.predict('x', bad)).rejects.toMatchObject({
		code: 'OPTIONS_INVALID',
		message:
			'Expected `maxLength` to be a whole number from 3 to 128, got 2; Expected `topK` to be a whole number from 1 up, got 0; ' +
			'Expected `threshold` to be a number from 0 to 1, got 2; Expected `windows.stride` to be a whole number from 0 to 0, got -1; ' +
			'Expected `windows.aggregate` to be one of mean, max, got "sum"',
	});
	await expect(Classifier.load(tiny, { threads: -1, maxBatchTokens: 0, maxWaitMs: Number.NaN })).rejects.toMatchObject({
		code: 'OPTIONS_INVALID',
		message: /`threads`.*`maxBatchTokens`.*`maxWaitMs`/,
	});
});

test.each([
	[{ threshold: 0.5 }, '`threshold` where a text is given one of 3 labels, unless with `topK`'],
	[{ windows: { stride: 126 } }, '`windows.stride` to be a whole number from 0 to 125, got 126'],
	[{ windows: {} }, '`windows.stride` to be a whole number from 0 to 125, got undefined'],
	[{ windows: 3 }, '`windows.stride` to be a whole number from 0 to 125, got undefined'],
])('%j is refused', async (options, sentence) => {
	await expect(classifier.predict('x', options as PredictOptions)).rejects.toMatchObject({ message: expect.stringContaining(sentence) });
});

test('a regression has neither topK nor threshold', async () => {
	await using regression = await tinyFor('regression', 1);
	await expect(regression.predict('x', { topK: 1, threshold: 0 })).rejects.toMatchObject({
		message: 'Expected no `topK` where a text is given a number: it has no labels; Expected no `threshold` where a text is given a number',
	});
});

import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Classifier } from '../lib/classifier.js';
import type { Row } from '../lib/data/row.js';
import { Dataset } from '../lib/dataset.js';
import { parseConfig, readConfig, withLabels } from '../lib/model/config.js';
import { weightFiles } from '../lib/model/copy.js';
import { fixture } from './models.js';
import { randomNumbers } from './random.js';
import { floats, readTensors, type StoredTensor, tensorOf, writeTensors } from './tensors.js';

const tiny = fixture('tiny-model');
const words = ['happy', 'sad', 'friend', 'alone', 'free', 'lost', 'good', 'bad', 'day', 'night'];
let folder: string;
let binary: string;
let rows: Row[];

/** The tiny model with two labels, the weight of its head multiplied by `sharpness`, its bias 0 and `bias`. */
async function twoLabels(name: string, sharpness: number, bias = 0): Promise<string> {
	const target = join(folder, name);
	await mkdir(target);
	for (const file of ['tokenizer.json', 'tokenizer_config.json', 'vocab.txt']) await copyFile(join(tiny, file), join(target, file));
	const config = JSON.parse(await readFile(join(tiny, 'config.json'), 'utf8'));
	const named = { id2label: { 0: 'calm', 1: 'worried' }, label2id: { calm: 0, worried: 1 } };
	await writeFile(join(target, 'config.json'), JSON.stringify({ ...config, ...named, kept: 'as it is' }));
	const tensors = readTensors(join(tiny, 'model.safetensors'));
	const weight = floats(tensors.get('classifier.weight') as StoredTensor).subarray(0, 2 * 48);
	tensors.set(
		'classifier.weight',
		tensorOf(
			weight.map((value) => value * sharpness),
			[2, 48],
		),
	);
	tensors.set('classifier.bias', tensorOf(Float32Array.of(0, bias), [2]));
	writeTensors(join(target, 'model.safetensors'), tensors);
	return target;
}

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), 'distiltune-'));
	const random = randomNumbers(3);
	const texts = Array.from({ length: 150 }, () =>
		Array.from({ length: 1 + Math.floor(random() * 9) }, () => words[Math.floor(random() * 10)]).join(' '),
	);
	await using raw = await Classifier.load(await twoLabels('raw', 1));
	const margins = marginsOf(await raw.predict(texts));
	const sorted = [...margins].sort((a, b) => a - b);
	const [low, middle, high] = [15, 75, 135].map((place) => sorted[place]) as [number, number, number];
	// Labels that the margin tells three times out of four, around a middle that is not where the model has it; margins from -3 to 3.
	rows = texts.map((text, row) => ({ text, label: (margins[row] as number) > middle === random() < 0.75 ? 'worried' : 'calm' }));
	const sharpness = 6 / (high - low);
	binary = await twoLabels('binary', sharpness, -1.5 - sharpness * middle);
});
afterAll(() => rm(folder, { recursive: true }));

const texts = () => rows.map(({ text }) => text);
const marginsOf = (predictions: { scores: Readonly<Record<string, number>> }[]) =>
	predictions.map(({ scores }) => Math.log((scores.worried as number) / (scores.calm as number)));

describe('calibrate', () => {
	it('divides the logits by the temperature with the least loss, and changes no label', async () => {
		await using classifier = await Classifier.load(binary);
		expect([classifier.temperature, classifier.threshold]).toEqual([1, null]);
		const before = await classifier.predict(texts());
		const measuredBefore = await classifier.evaluate(rows);
		const calibration = await classifier.calibrate(rows);
		expect(calibration).toMatchObject({ temperature: classifier.temperature, where: 'interior', rows: 150 });
		expect(Math.abs(calibration.temperature - 1)).toBeGreaterThan(0.1);
		const after = await classifier.predict(texts());
		expect(after.map(({ label }) => label)).toEqual(before.map(({ label }) => label));
		for (const [row, margin] of marginsOf(after).entries()) {
			// Margins are taken back from probabilities near 0 and 1, which have lost some of their last bits.
			expect(margin * calibration.temperature).toBeCloseTo(marginsOf(before)[row] as number, 6);
		}

		const { metrics } = await classifier.evaluate(rows);
		const keep = ({ loss, brier, ece }: typeof metrics) => ({ loss, brier, ece });
		expect(keep(metrics)).toEqual(calibration.after);
		expect(keep(measuredBefore.metrics)).toEqual(calibration.before);
		expect(metrics.confusion).toEqual(measuredBefore.metrics.confusion);
		const lossAt = (temperature: number) =>
			marginsOf(before)
				.map((margin, row) => Math.log1p(Math.exp((rows[row]?.label === 'worried' ? -margin : margin) / temperature)))
				.reduce((a, b) => a + b, 0) / 150;
		expect(calibration.after.loss).toBeCloseTo(lossAt(calibration.temperature), 10);
		for (const factor of [0.5, 0.9, 0.999, 1.001, 1.1, 2]) expect(lossAt(calibration.temperature * factor)).toBeGreaterThan(calibration.after.loss);
	});

	it('starts from the logits, however often it is called', async () => {
		await using classifier = await Classifier.load(binary);
		const first = await classifier.calibrate(rows);
		const second = await classifier.calibrate(Dataset.fromArray(rows));
		expect(second.temperature).toBe(first.temperature);
		expect(second.before).toEqual(first.after);
	});

	it('works with any number of labels, and says where it ended', async () => {
		await using classifier = await Classifier.load(tiny);
		const [prediction] = await classifier.predict(['happy friend']);
		const sure = await classifier.calibrate([{ text: 'happy friend', label: prediction?.label ?? '' }]);
		expect(sure).toMatchObject({ temperature: 0.01, where: 'lower bound', rows: 1 });
		const worst = Object.entries(prediction?.scores ?? {}).sort(([, a], [, b]) => a - b)[0]?.[0] ?? '';
		expect(await classifier.calibrate([{ text: 'happy friend', label: worst }])).toMatchObject({ temperature: 100, where: 'upper bound' });
	});

	it('changes nothing where all logits are equal', async () => {
		await using classifier = await Classifier.load(await twoLabels('flat', 0));
		expect(await classifier.calibrate(rows)).toMatchObject({ temperature: 1, where: 'flat' });
	});
});

describe('tuneThreshold', () => {
	const measures = {
		f1: (metrics: Metrics) => metrics.perLabel.worried?.f1,
		accuracy: (metrics: Metrics) => metrics.accuracy,
		mcc: (metrics: Metrics) => metrics.mcc,
		youden: (metrics: Metrics) => (metrics.perLabel.worried?.recall ?? 0) + (metrics.perLabel.calm?.recall ?? 0) - 1,
	} as const;
	type Metrics = Awaited<ReturnType<Classifier['evaluate']>>['metrics'];

	it.each(['f1', 'accuracy', 'mcc', 'youden'] as const)('finds the threshold that is best by %s; scores stay, labels follow it', async (metric) => {
		await using classifier = await Classifier.load(binary);
		const before = await classifier.predict(texts());
		const measured = await classifier.evaluate(rows);
		const tuned = await classifier.tuneThreshold(rows, { metric });
		expect(classifier.threshold).toBe(tuned.threshold);
		const after = await classifier.predict(texts());
		expect(after.map(({ scores }) => scores)).toEqual(before.map(({ scores }) => scores));
		for (const { label, score, scores } of after) {
			expect(label).toBe((scores.worried as number) >= tuned.threshold ? 'worried' : 'calm');
			expect(score).toBe(scores[label]);
		}
		// Counts in one place, rates in the other.
		expect(tuned.before).toBeCloseTo(measures[metric](measured.metrics) ?? Number.NaN, 12);
		expect(tuned.after).toBeCloseTo(measures[metric]((await classifier.evaluate(rows)).metrics) ?? Number.NaN, 12);
		expect(tuned.after).toBeGreaterThan(tuned.before);
		expect(tuned).toMatchObject({ metric, rows: 150 });
	});

	it('is for F1 where nothing else is asked for, and topK goes by the scores', async () => {
		await using classifier = await Classifier.load(binary);
		expect(await classifier.tuneThreshold(rows)).toMatchObject({ metric: 'f1' });
		for (const [best, other] of await classifier.predict(texts(), { topK: 2 })) expect(best?.score).toBeGreaterThanOrEqual(other?.score ?? 1);
	});

	it('keeps its labels when the scores are calibrated afterwards', async () => {
		await using classifier = await Classifier.load(binary);
		await classifier.tuneThreshold(rows);
		const before = await classifier.predict(texts());
		const { threshold } = classifier;
		await classifier.calibrate(rows);
		expect(classifier.threshold).not.toBe(threshold);
		expect((await classifier.predict(texts())).map(({ label }) => label)).toEqual(before.map(({ label }) => label));
	});

	it('refuses what it cannot tune', async () => {
		await using three = await Classifier.load(tiny);
		await expect(three.tuneThreshold(rows)).rejects.toMatchObject({ code: 'OPTIONS_INVALID', message: expect.stringContaining('two labels') });
		await using classifier = await Classifier.load(binary);
		await expect(classifier.tuneThreshold(rows, { metric: 'recall' as never })).rejects.toMatchObject({
			code: 'OPTIONS_INVALID',
			message: 'Expected `metric` to be one of f1, accuracy, mcc, youden, got "recall"',
		});
		await expect(classifier.tuneThreshold(rows.filter(({ label }) => label === 'calm'))).rejects.toMatchObject({ code: 'ONE_CLASS' });
		expect(classifier.threshold).toBeNull();
	});
});

describe('save', () => {
	it('leaves a folder that opens as the same classifier', async () => {
		const target = join(folder, 'saved');
		await using classifier = await Classifier.load(binary);
		await classifier.calibrate(rows);
		await classifier.tuneThreshold(rows, { metric: 'mcc' });
		await classifier.save(target);
		expect((await readdir(target)).sort()).toEqual([
			...['config.json', 'model.safetensors', 'special_tokens_map.json', 'tokenizer.json', 'tokenizer_config.json', 'vocab.txt'],
		]);
		const { distiltune, kept } = JSON.parse(await readFile(join(target, 'config.json'), 'utf8'));
		expect(distiltune).toEqual({ temperature: classifier.temperature, threshold: classifier.threshold });
		expect(kept).toBe('as it is');
		expect((await readFile(join(target, 'model.safetensors'))).equals(await readFile(join(binary, 'model.safetensors')))).toBe(true);
		await using again = await Classifier.load(target);
		expect(await again.predict(texts())).toEqual(await classifier.predict(texts()));
		expect([again.temperature, again.threshold]).toEqual([classifier.temperature, classifier.threshold]);
	});

	it('writes only config.json into its own folder', async () => {
		const own = await twoLabels('own', 1);
		const before = await stat(join(own, 'model.safetensors'));
		await using classifier = await Classifier.load(own);
		const { temperature } = await classifier.calibrate(rows);
		await classifier.save(`${own}/.`);
		expect((await stat(join(own, 'model.safetensors'))).ino).toBe(before.ino);
		expect((await readdir(own)).sort()).toEqual(['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json', 'vocab.txt']);
		expect((await readConfig(own)).decision).toEqual({ temperature, threshold: null });
		await classifier.save(own);
	});

	it('writes no key where nothing was set', async () => {
		const target = join(folder, 'plain');
		await using classifier = await Classifier.load(binary);
		await classifier.save(target);
		expect(await readFile(join(target, 'config.json'), 'utf8')).not.toContain('distiltune');
	});

	it('copies weights that may only be read as files that can be replaced', async () => {
		const source = await twoLabels('read-only', 1);
		await chmod(join(source, 'model.safetensors'), 0o444);
		await using classifier = await Classifier.load(source);
		await classifier.save(join(folder, 'writable'));
		expect((await stat(join(folder, 'writable', 'model.safetensors'))).mode & 0o222).not.toBe(0);
	});

	it('refuses weights that changed meanwhile, and a folder with weights of another kind', async () => {
		const changing = await twoLabels('changing', 1);
		await using classifier = await Classifier.load(changing);
		const target = join(folder, 'other-weights');
		await mkdir(target);
		await writeFile(join(target, 'pytorch_model.bin'), '');
		await expect(classifier.save(target)).rejects.toMatchObject({
			code: 'OUTPUT_NOT_WRITABLE',
			message: expect.stringContaining('pytorch_model.bin'),
		});
		await utimes(join(changing, 'model.safetensors'), 0, 0);
		for (const place of [join(folder, 'never'), changing]) await expect(classifier.save(place)).rejects.toMatchObject({ code: 'MODEL_CHANGED' });
		expect(await readdir(folder)).not.toContain('never');
	});

	it('takes the shards of an index along', async () => {
		const sharded = join(folder, 'sharded');
		await mkdir(sharded);
		const index = join(sharded, 'model.safetensors.index.json');
		const weight_map = { a: 'model-00001-of-00002.safetensors', b: 'model-00002-of-00002.safetensors', c: 'model-00001-of-00002.safetensors' };
		await writeFile(index, JSON.stringify({ weight_map }));
		for (const name of Object.values(weight_map)) await writeFile(join(sharded, name), '');
		const names = [...(await weightFiles(index)).keys()];
		expect(names).toEqual([index, join(sharded, weight_map.a), join(sharded, weight_map.b)]);
		await writeFile(index, JSON.stringify({ weight_map: { a: '../binary/model.safetensors' } }));
		expect([...(await weightFiles(index)).keys()]).toEqual([index]);
	});
});

describe('the key in config.json', () => {
	it.each([{ temperature: 0 }, { threshold: 2 }, { unknown: 1 }, []])('is refused where it is %j', async (distiltune) => {
		const config = JSON.parse(await readFile(join(binary, 'config.json'), 'utf8'));
		expect(() => parseConfig({ ...config, distiltune })).toThrow(
			expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining('distiltune') }),
		);
	});

	it('does not go over to a model that is trained further', async () => {
		const config = parseConfig({ ...JSON.parse(await readFile(join(binary, 'config.json'), 'utf8')), distiltune: { temperature: 2 } });
		expect(withLabels(config, config.labels, 'single_label_classification')).toMatchObject({
			decision: { temperature: 1, threshold: null },
			extra: { kept: 'as it is' },
		});
		expect(config.extra).not.toHaveProperty('distiltune');
	});
});

describe('evaluate, calibrate and tuneThreshold', () => {
	const calls = ['evaluate', 'calibrate', 'tuneThreshold'] as const;

	it.each(calls)('%s names a row whose label the model does not know, and what it was asked with', async (name) => {
		await using classifier = await Classifier.load(binary);
		await expect(classifier[name]([...rows.slice(0, 3), { text: 'x', label: 'other' }])).rejects.toMatchObject({
			code: 'LABEL_UNKNOWN',
			message: expect.stringContaining('Row 4'),
		});
		await expect(classifier[name](rows, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' });
		await expect(classifier[name](rows, { maxLength: 1 })).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
		await expect(classifier[name]([])).rejects.toMatchObject({ code: 'NO_ROWS' });
		expect([classifier.temperature, classifier.threshold]).toEqual([1, null]);
	});

	it.each(calls)('%s is waited for by dispose, and refused after it', async (name) => {
		const classifier = await Classifier.load(binary);
		let finished = false;
		const call = classifier[name](rows).then(() => {
			finished = true;
		});
		await classifier.dispose();
		expect(finished).toBe(true);
		await call;
		await expect(classifier[name](rows)).rejects.toMatchObject({ code: 'CLASSIFIER_CLOSED' });
		await expect(classifier.save(join(folder, 'closed'))).rejects.toMatchObject({ code: 'CLASSIFIER_CLOSED' });
	});

	it('fit nothing to logits that are not numbers, which evaluate measures as they are', async () => {
		await using classifier = await Classifier.load(await twoLabels('broken', Number.NaN));
		for (const name of ['calibrate', 'tuneThreshold'] as const)
			await expect(classifier[name](rows)).rejects.toMatchObject({ code: 'LOGITS_NOT_FINITE' });
		const { metrics } = await classifier.evaluate(rows);
		expect(metrics).toMatchObject({ loss: Number.NaN, rocAuc: null, ece: null });
		// NaN wins: the first label of every row.
		expect((await classifier.predict(texts())).every(({ label }) => label === 'calm')).toBe(true);
		expect(metrics.perLabel.calm?.recall).toBe(1);
	});

	it('count the texts they cut', async () => {
		await using classifier = await Classifier.load(binary);
		const long = rows.filter(({ text }) => text.split(' ').length > 4).length;
		expect((await classifier.evaluate(rows, { maxLength: 6 })).truncated).toBeGreaterThanOrEqual(long);
		expect((await classifier.evaluate(rows)).truncated).toBe(0);
	});
});

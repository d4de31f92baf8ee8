import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Classifier } from '../lib/classifier.js';
import { rowsToLearn } from './learn.js';
import { fixture } from './models.js';
import { readTensors } from './tensors.js';

const tiny = fixture('tiny-model');
const texts = ['I feel fine', '', 'x '.repeat(500), 'no one is here, and it is dark', 'I', 'what a day! '.repeat(9), '漢字 and [MASK]'];
let folder: string;
beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), 'distiltune-'));
});
afterAll(() => rm(folder, { recursive: true }));

const scoresOf = async (classifier: Classifier) => (await classifier.predict(texts)).flatMap(({ scores }) => Object.values(scores));

test('int8 scores a little differently, the same to the bit alone and in company and for any number of threads', async () => {
	await using exact = await Classifier.load(tiny);
	await using coarse = await Classifier.load(tiny, { dtype: 'int8' });
	await using threads = await Classifier.load(tiny, { dtype: 'int8', threads: 3 });
	const [want, got] = [await scoresOf(exact), await scoresOf(coarse)];
	expect(got).not.toEqual(want);
	// Activations are steps of a 127th of a row's range, and sums here are short: 48 products. Measured .048 on these texts.
	for (const [place, score] of got.entries()) expect(Math.abs(score - (want[place] as number)), String(place)).toBeLessThan(0.08);
	const together = await coarse.predict(texts);
	expect(await threads.predict(texts)).toEqual(together);
	for (const [place, text] of texts.entries()) expect(await coarse.predict(text), text).toEqual(together[place]);
});

test('a folder saved as int8 opens as int8, to the bit, is a good deal smaller and can be had as floats', async () => {
	const target = join(folder, 'int8');
	await using coarse = await Classifier.load(tiny, { dtype: 'int8' });
	await coarse.save(target, { dtype: 'int8' });
	await using saved = await Classifier.load(target);
	expect(await saved.predict(texts)).toEqual(await coarse.predict(texts));
	const file = join(target, 'model.int8.safetensors');
	expect((await stat(file)).size).toBeLessThan((await stat(join(tiny, 'model.safetensors'))).size / 2);
	expect(await readdir(target)).not.toContain('model.safetensors');

	const tensors = readTensors(file);
	const lin1 = 'distilbert.transformer.layer.0.ffn.lin1.weight';
	expect(tensors.get(lin1)).toMatchObject({ dtype: 'I8', shape: [96, 48] });
	expect(tensors.get(`${lin1}_scale`)).toMatchObject({ dtype: 'F32', shape: [96] });
	expect(tensors.get('pre_classifier.weight')).toMatchObject({ dtype: 'F32' });

	await using floats = await Classifier.load(target, { dtype: 'fp32' });
	const [want, got] = [await scoresOf(await keptOpen(tiny)), await scoresOf(floats)];
	for (const [place, score] of got.entries()) expect(Math.abs(score - (want[place] as number)), String(place)).toBeLessThan(0.06); // measured .024
});

const open: Classifier[] = [];
afterAll(() => Promise.all(open.map((each) => each.dispose())));
async function keptOpen(model: string): Promise<Classifier> {
	const classifier = await Classifier.load(model);
	open.push(classifier);
	return classifier;
}

test('a learned head is saved with int8, and a copy of an int8 folder stays one', async () => {
	const [first, second] = [join(folder, 'learned'), join(folder, 'copy')];
	await using classifier = await Classifier.load(tiny, { dtype: 'int8' });
	await classifier.learn(rowsToLearn(36));
	await classifier.save(first, { dtype: 'int8' });
	await using saved = await Classifier.load(first);
	await saved.save(second);
	await saved.learn(rowsToLearn(36));
	await saved.save(first);
	await using floats = await Classifier.load(tiny);
	const refused = { code: 'OUTPUT_NOT_WRITABLE', message: expect.stringContaining('model.int8.safetensors') };
	await expect(floats.save(first)).rejects.toMatchObject(refused);
	await using copy = await Classifier.load(second);
	const want = await classifier.predict(texts);
	expect(await saved.predict(texts)).toEqual(want);
	expect(await copy.predict(texts)).toEqual(want);
});

test('an unknown dtype is refused with those there are', async () => {
	const refused = { code: 'OPTIONS_INVALID', message: expect.stringContaining('`dtype`') };
	await expect(Classifier.load(tiny, { dtype: 'int4' as 'int8' })).rejects.toMatchObject(refused);
	await using classifier = await Classifier.load(tiny);
	await expect(classifier.save(join(folder, 'other'), { dtype: 'int4' as 'int8' })).rejects.toMatchObject(refused);
});

test('many classifiers work at once, and each is freed for itself', async () => {
	const several = await Promise.all(
		['fp32', 'int8', 'fp32', 'int8'].map((dtype) => Classifier.load(tiny, { dtype: dtype as 'fp32' | 'int8', threads: 2 })),
	);
	const alone = [await several[0]?.predict(texts), await several[1]?.predict(texts)];
	const together = await Promise.all([...several, ...several].map((classifier) => classifier.predict(texts)));
	for (const [place, predictions] of together.entries()) expect(predictions).toEqual(alone[place % 2]);
	await several[0]?.dispose();
	expect(await several[2]?.predict(texts)).toEqual(alone[0]);
	await Promise.all(several.map((classifier) => classifier.dispose()));
});

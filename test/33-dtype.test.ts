import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Classifier } from '../lib/classifier.js';
import { dtypes } from '../lib/runtime/native.js';
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

test.each([
	// Activations are steps of a 127th of a row's range, and sums here are short: 48 products. Measured .048 on these texts.
	['int8', 0.08],
	// Values keep eight bits each, where int8 has steps of a 127th of a whole row: a tenth of its errors. Measured .0043 on these texts.
	['bf16', 0.01],
] as const)('%s scores nearly as fp32 does, the same to the bit alone and in company and for any number of threads', async (dtype, tolerance) => {
	await using coarse = await Classifier.load(tiny, { dtype });
	await using threads = await Classifier.load(tiny, { dtype, threads: 3 });
	const [want, got] = [await scoresOf(await keptOpen(tiny)), await scoresOf(coarse)];
	expect(got).not.toEqual(want);
	for (const [place, score] of got.entries()) expect(Math.abs(score - (want[place] as number)), String(place)).toBeLessThan(tolerance);
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

test('a folder saved as bf16 says so to Transformers, opens as bf16, to the bit, and can be had as floats', async () => {
	const target = join(folder, 'bf16');
	await using rounded = await Classifier.load(tiny, { dtype: 'bf16' });
	await rounded.learn(rowsToLearn(36));
	await rounded.save(target, { dtype: 'bf16' });
	await using saved = await Classifier.load(target);
	const want = await rounded.predict(texts);
	expect(await saved.predict(texts)).toEqual(want);
	expect(JSON.parse(await readFile(join(target, 'config.json'), 'utf8'))).toMatchObject({ dtype: 'bfloat16' });
	const tensors = readTensors(join(target, 'model.safetensors'));
	expect(tensors.get('distilbert.transformer.layer.0.ffn.lin1.weight')).toMatchObject({ dtype: 'BF16', shape: [96, 48] });
	expect(tensors.get('distilbert.embeddings.word_embeddings.weight')).toMatchObject({ dtype: 'BF16' });
	expect(tensors.get('classifier.weight')).toMatchObject({ dtype: 'F32' });
	await using floats = await Classifier.load(target, { dtype: 'fp32' });
	expect(await floats.predict(texts)).not.toEqual(want);

	const [copy, widened] = [join(folder, 'bf16-copy'), join(folder, 'bf16-widened')];
	await floats.save(copy); // as they are, whatever they were opened as
	await using copied = await Classifier.load(copy);
	expect(await copied.predict(texts)).toEqual(want);
	expect(JSON.parse(await readFile(join(copy, 'config.json'), 'utf8'))).toMatchObject({ dtype: 'bfloat16' });
	await saved.save(widened, { dtype: 'fp32' });
	await using wide = await Classifier.load(widened);
	expect(await wide.predict(texts)).toEqual(await floats.predict(texts));
	expect(JSON.parse(await readFile(join(widened, 'config.json'), 'utf8'))).toMatchObject({ dtype: 'float32' });
});

test('weights saved over their own as bf16 are bf16 from then on', async () => {
	const target = join(folder, 'own');
	await using classifier = await Classifier.load(tiny);
	await classifier.save(target);
	await using own = await Classifier.load(target);
	await own.save(target, { dtype: 'bf16' });
	await own.learn(rowsToLearn(36));
	await own.save(target); // the learned head beside weights as they are by now
	const tensors = readTensors(join(target, 'model.safetensors'));
	expect(tensors.get('distilbert.transformer.layer.2.attention.k_lin.weight')).toMatchObject({ dtype: 'BF16' });
	await using rounded = await Classifier.load(target);
	await using floats = await Classifier.load(target, { dtype: 'fp32' });
	expect(await rounded.predict(texts)).not.toEqual(await floats.predict(texts));
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
	const refused = { code: 'OPTIONS_INVALID', message: expect.stringMatching(/`dtype`.*fp32, bf16, int8/) };
	await expect(Classifier.load(tiny, { dtype: 'int4' as 'int8' })).rejects.toMatchObject(refused);
	await using classifier = await Classifier.load(tiny);
	await expect(classifier.save(join(folder, 'other'), { dtype: 'int4' as 'int8' })).rejects.toMatchObject(refused);
});

test('many classifiers work at once, and each is freed for itself', async () => {
	const several = await Promise.all([...dtypes, ...dtypes].map((dtype) => Classifier.load(tiny, { dtype, threads: 2 })));
	const alone: unknown[] = [];
	for (const classifier of several.slice(0, dtypes.length)) alone.push(await classifier.predict(texts));
	const together = await Promise.all([...several, ...several].map((classifier) => classifier.predict(texts)));
	for (const [place, predictions] of together.entries()) expect(predictions).toEqual(alone[place % dtypes.length]);
	await several[0]?.dispose();
	expect(await several[dtypes.length]?.predict(texts)).toEqual(alone[0]);
	await Promise.all(several.map((classifier) => classifier.dispose()));
});

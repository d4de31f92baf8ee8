import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Classifier } from '../lib/classifier.js';
import { loadBase } from '../lib/runtime/load.js';
import { rowsToLearn } from './learn.js';
import { fixture, tinyShape, tinyWeights } from './models.js';
import { floats, readTensors, type StoredTensor, tensorOf, writeTensors } from './tensors.js';

// What a learned head becomes on the disk.

const rows = rowsToLearn(36);
const texts = ['I feel fine', '', 'no one is here, and it is dark', 'what a day! '.repeat(9)];
let folder: string;
beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), 'distiltune-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** A copy of the tiny model, its tensors changed. */
async function model(name: string, change: (tensors: Map<string, StoredTensor>) => void = () => {}): Promise<string> {
	const target = join(folder, name);
	await cp(fixture('tiny-model'), target, { recursive: true });
	const tensors = readTensors(tinyWeights);
	change(tensors);
	writeTensors(join(target, 'model.safetensors'), tensors);
	return target;
}

/** Its weights as one shard under an index. */
async function sharded(name: string): Promise<string> {
	const target = await model(name);
	const shard = 'model-00001-of-00001.safetensors';
	await rename(join(target, 'model.safetensors'), join(target, shard));
	const weight_map = Object.fromEntries([...readTensors(tinyWeights).keys()].map((key) => [key, shard]));
	await writeFile(join(target, 'model.safetensors.index.json'), JSON.stringify({ weight_map }));
	return target;
}

const isHead = (name: string) => name.startsWith('classifier.');
const opened = async (place: string) => {
	await using classifier = await Classifier.load(place);
	return { predictions: await classifier.predict(texts), decision: [classifier.temperature, classifier.threshold] };
};

test('a folder that is saved opens as what was learned, with every other weight as it was', async () => {
	const target = join(folder, 'saved');
	await using classifier = await Classifier.load(await model('plain'));
	await classifier.calibrate(rows);
	await classifier.learn(rows);
	await classifier.save(target);
	expect(await opened(target)).toEqual({ predictions: await classifier.predict(texts), decision: [1, null] });
	expect(JSON.parse(await readFile(join(target, 'config.json'), 'utf8'))).not.toHaveProperty('distiltune');
	const [saved, old] = [readTensors(join(target, 'model.safetensors')), readTensors(tinyWeights)];
	expect([...saved.keys()].sort()).toEqual([...old.keys()].sort());
	for (const [name, tensor] of old) {
		const { dtype, shape, bytes } = saved.get(name) as StoredTensor;
		expect({ dtype, shape }, name).toEqual({ dtype: 'F32', shape: tensor.shape });
		expect(Buffer.compare(bytes, tensor.bytes) === 0, name).toBe(!isHead(name));
	}
});

test('a temperature and a threshold of the new head are saved with it', async () => {
	const target = join(folder, 'calibrated');
	await using classifier = await Classifier.load(await model('to-calibrate'));
	await classifier.learn(rows);
	const { temperature } = await classifier.calibrate(rows);
	expect(temperature).not.toBe(1);
	await classifier.save(target);
	expect(await opened(target)).toEqual({ predictions: await classifier.predict(texts), decision: [temperature, null] });
});

test('its own folder takes the new weights, and is known afterwards', async () => {
	const own = await model('own');
	await using classifier = await Classifier.load(own);
	await classifier.learn(rows);
	await classifier.save(own);
	const { predictions } = await opened(own);
	expect(predictions).toEqual(await classifier.predict(texts));
	expect((await readdir(own)).sort()).toEqual((await readdir(fixture('tiny-model'))).sort());
	await classifier.save(own);
	await classifier.learn(rows, { l2: 0.1 });
	await classifier.save(own);
	expect((await opened(own)).predictions).toEqual(await classifier.predict(texts));
	await writeFile(join(own, 'model.safetensors'), await readFile(tinyWeights));
	await expect(classifier.save(join(folder, 'never'))).rejects.toMatchObject({ code: 'MODEL_CHANGED' });
});

test('a learn that failed leaves a save what it was: a copy', async () => {
	const target = join(folder, 'copied');
	await using classifier = await Classifier.load(await model('untouched'));
	await expect(classifier.learn(rows, { maxIterations: 1 })).rejects.toMatchObject({ code: 'LEARN_NOT_CONVERGED' });
	await classifier.save(target);
	const [copy, source] = await Promise.all([target, join(folder, 'untouched')].map((place) => readFile(join(place, 'model.safetensors'))));
	expect(copy?.equals(source as Buffer)).toBe(true);
});

test('shards become one file, which may not lie beside them', async () => {
	const source = await sharded('shards');
	const before = await opened(source);
	await using classifier = await Classifier.load(source);
	await classifier.learn(rows);
	await expect(classifier.save(source)).rejects.toMatchObject({ code: 'OUTPUT_NOT_WRITABLE' });
	expect(await opened(source)).toEqual(before);
	const target = join(folder, 'joined');
	await classifier.save(target);
	expect((await readdir(target)).filter((name) => /model/.test(name))).toEqual(['model.safetensors']);
	expect((await opened(target)).predictions).toEqual(await classifier.predict(texts));
});

test('of narrow weights all but the head stays narrow, which so loses nothing', async () => {
	const source = await model('narrow', (tensors) => {
		for (const [name, { shape, bytes }] of tensors) {
			const upper = new Uint16Array(new Uint8Array(bytes).buffer).filter((_, half) => half % 2 === 1); // little-endian: the half that BF16 keeps
			tensors.set(name, { dtype: 'BF16', shape, bytes: new Uint8Array(upper.buffer) });
		}
	});
	await using classifier = await Classifier.load(source);
	await classifier.learn(rows);
	const target = join(folder, 'still-narrow');
	await classifier.save(target);
	expect((await opened(target)).predictions).toEqual(await classifier.predict(texts));
	const saved = readTensors(join(target, 'model.safetensors'));
	for (const [name, { dtype, shape }] of readTensors(join(source, 'model.safetensors'))) {
		const isNarrow = /word_embeddings|transformer.*(lin|lin1|lin2)\.weight$/.test(name);
		expect(saved.get(name), name).toMatchObject({ dtype: isNarrow ? dtype : 'F32', shape });
	}
});

test('save during learn writes the head it was called under', async () => {
	const target = join(folder, 'meanwhile');
	const source = await model('learning');
	await using classifier = await Classifier.load(source);
	const [learning, saving] = [classifier.learn(rows), classifier.save(target)];
	await Promise.all([learning, saving]);
	expect(await opened(target)).toEqual(await opened(source));
});

test('a head whose numbers are none is mended', async () => {
	const source = await model('broken-head', (tensors) => {
		tensors.set('classifier.bias', tensorOf(new Float32Array(3).fill(Number.NaN), [3]));
	});
	await using classifier = await Classifier.load(source);
	expect(await classifier.learn(rows)).toMatchObject({ before: { loss: Number.NaN }, after: { accuracy: 1 } });
});

test('a model whose numbers are none is not fitted to', async () => {
	const source = await model('broken', (tensors) => {
		const { shape } = tensors.get('pre_classifier.bias') as StoredTensor;
		tensors.set('pre_classifier.bias', tensorOf(new Float32Array(48).fill(Number.NaN), shape));
	});
	await using classifier = await Classifier.load(source);
	await expect(classifier.learn(rows)).rejects.toMatchObject({ name: 'ModelError', code: 'LOGITS_NOT_FINITE' });
});

test('what cannot be written is refused with a code, and a head of another size', async () => {
	const { saveWeights, openPredictor } = loadBase();
	const predictor = await openPredictor({ weights: tinyWeights, shape: tinyShape, threads: 1 });
	const given = { weights: tinyWeights, shape: tinyShape, head: predictor.head };
	await predictor.close();
	const target = join(folder, 'weights');
	await mkdir(target);
	await expect(saveWeights({ ...given, head: { ...given.head, bias: new Float32Array(2) } }, join(target, 'a'))).rejects.toMatchObject({
		code: 'HEAD_INVALID',
	});
	await expect(saveWeights(given, join(target, 'no', 'folder'))).rejects.toMatchObject({ code: 'NOT_WRITABLE' });
	expect(await readdir(target)).toEqual([]);
	await saveWeights(given, join(target, 'a'));
	const [saved, old] = [readTensors(join(target, 'a')), readTensors(tinyWeights)];
	for (const [name, tensor] of old) expect(floats(saved.get(name) as StoredTensor), name).toEqual(floats(tensor));
});

import { cp, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Classifier } from '../lib/classifier.js';
import { readConfig } from '../lib/model/config.js';
import { loadVocabulary } from '../lib/model/vocabulary.js';
import { loadBase } from '../lib/runtime/load.js';

const tiny = fileURLToPath(new URL('fixtures/tiny-model', import.meta.url));
const texts = ['I feel fine', '', 'x '.repeat(500), 'no one is here, and it is dark', 'I', 'what a day! '.repeat(9), '漢字 and [MASK]'];

let classifier: Classifier;
beforeAll(async () => {
	classifier = await Classifier.load(tiny);
});
afterAll(() => classifier.dispose());

async function copyOfTiny(body: (folder: string) => Promise<void>): Promise<void> {
	const folder = await mkdtemp(join(tmpdir(), 'distiltune-'));
	await cp(tiny, folder, { recursive: true });
	await body(folder).finally(() => rm(folder, { recursive: true }));
}

test('one text gives one prediction, a list gives a list in its order', async () => {
	const one = await classifier.predict('I feel fine');
	expect(Object.keys(one)).toEqual(['label', 'score', 'scores', 'truncated', 'tokens']);
	expect(Object.keys(one.scores)).toEqual(['calm', 'worried', 'alarmed']);
	expect(one.score).toBe(Math.max(...Object.values(one.scores)));
	expect(one.scores[one.label]).toBe(one.score);
	expect(await classifier.predict(['I feel fine'])).toEqual([one]);
	expect(await classifier.predict([])).toEqual([]);
	expect(classifier.labels).toEqual(['calm', 'worried', 'alarmed']);
});

test('scores are the softmax in double of the logits of [CLS] text [SEP]', async () => {
	const base = loadBase();
	const { shape } = await readConfig(tiny);
	const tokenizer = new base.Tokenizer(await loadVocabulary(tiny));
	const { ids, offsets } = tokenizer.encodeSync(['I feel fine'], { maxLength: 128, addSpecialTokens: true, matchSpecialTokens: true, spans: false });
	const predictor = await base.openPredictor({ weights: join(tiny, 'model.safetensors'), shape, threads: 1 });
	const exponentials = Array.from(await predictor.logits({ ids, offsets }), Math.exp);
	const sum = exponentials.reduce((a, b) => a + b);
	const { scores, tokens } = await classifier.predict('I feel fine');
	// The twin does not subtract the largest logit: a few roundings of doubles.
	for (const [i, score] of Object.values(scores).entries()) expect(score).toBeCloseTo((exponentials[i] as number) / sum, 14);
	expect(Object.values(scores).reduce((a, b) => a + b)).toBeCloseTo(1, 14);
	expect(tokens).toBe(ids.length);
	await predictor.close();
	tokenizer.close();
});

test('a text has the same result, to the bit, alone and among thousands', async () => {
	const many = Array.from({ length: 700 }, (_, i) => texts[(i * 5) % texts.length] as string);
	const together = await classifier.predict(many);
	expect(together).toHaveLength(700);
	for (const [i, text] of texts.entries()) {
		const alone = await classifier.predict(text);
		expect(together[many.indexOf(text)], `text ${i}`).toEqual(alone);
		expect(together[many.lastIndexOf(text)], `text ${i}`).toEqual(alone);
	}
});

test('the number of threads changes no bit', async () => {
	for (const threads of [1, 3]) {
		await using other = await Classifier.load(tiny, { threads });
		expect(await other.predict(texts)).toEqual(await classifier.predict(texts));
	}
});

test('long texts are cut to maxLength and say so', async () => {
	const long = 'x '.repeat(500);
	expect(await classifier.predict(long)).toMatchObject({ truncated: true, tokens: 128 });
	expect(await classifier.predict(long, { maxLength: 10 })).toMatchObject({ truncated: true, tokens: 10 });
	expect(await classifier.predict('x '.repeat(8), { maxLength: 10 })).toMatchObject({ truncated: false, tokens: 10 });
	expect(await classifier.predict('')).toMatchObject({ truncated: false, tokens: 2 });
});

test('topK gives the best labels, best first', async () => {
	const { scores, label } = await classifier.predict('I feel fine');
	const ranked = await classifier.predict('I feel fine', { topK: 9 });
	expect(ranked).toHaveLength(3);
	expect(ranked.map(({ score }) => score)).toEqual(Object.values(scores).sort((a, b) => b - a));
	expect(await classifier.predict(['I feel fine'], { topK: 1 })).toEqual([[{ label, score: scores[label] }]]);
});

test.each([{ maxLength: 1 }, { maxLength: 129 }, { maxLength: 7.5 }, { topK: 0 }, { topK: Number.NaN }])('%j is refused', async (options) => {
	await expect(classifier.predict('x', options)).rejects.toMatchObject({
		name: 'ConfigError',
		code: 'OPTIONS_INVALID',
		message: expect.stringContaining(Object.keys(options)[0] as string),
	});
});

test('what is not text is refused', async () => {
	for (const input of [7, null, undefined, ['x', 7], [undefined], {}])
		await expect(classifier.predict(input as string)).rejects.toMatchObject({ code: 'TEXT_INVALID' });
});

test('a model whose outputs do not fit its kind of problem is refused', () =>
	copyOfTiny(async (folder) => {
		const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'));
		await writeFile(join(folder, 'config.json'), JSON.stringify({ ...config, problem_type: 'regression' }));
		await expect(Classifier.load(folder)).rejects.toMatchObject({
			name: 'ModelError',
			code: 'CONFIG_INVALID',
			message: /outputs, expected a regression with one$/,
		});
	}));

test('several labels are ranked by their own scores, and a number by nothing', () =>
	copyOfTiny(async (folder) => {
		const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'));
		await writeFile(join(folder, 'config.json'), JSON.stringify({ ...config, problem_type: 'multi_label_classification' }));
		await using several = await Classifier.load(folder, { problemType: 'multi_label_classification' });
		const { scores, labels } = await several.predict('sad');
		const [best] = await several.predict('sad', { topK: 1 });
		expect(best?.score).toBe(Math.max(...Object.values(scores)));
		expect(labels).toEqual(several.labels.filter((label) => (scores[label] ?? 0) > 0.5));
	}));

test('a signal stops a call and leaves the classifier open', async () => {
	await expect(classifier.predict('x', { signal: AbortSignal.abort('enough') })).rejects.toMatchObject({
		name: 'AbortError',
		code: 'ABORTED',
		cause: 'enough',
	});
	const controller = new AbortController();
	const stopped = classifier.predict(
		Array.from({ length: 3000 }, () => 'x '.repeat(200)),
		{ signal: controller.signal },
	);
	controller.abort();
	await expect(stopped).rejects.toMatchObject({ code: 'ABORTED' });
	expect(await classifier.predict('x')).toHaveProperty('label');
});

test('dispose waits for running calls, refuses later ones, and may be called twice', async () => {
	const other = await Classifier.load(tiny);
	let finished = false;
	const running = other.predict(Array.from({ length: 300 }, () => 'x '.repeat(60))).then((results) => {
		finished = true;
		return results.length;
	});
	const disposed = other.dispose();
	await expect(other.predict('x')).rejects.toMatchObject({ code: 'CLASSIFIER_CLOSED' });
	await disposed;
	expect(finished).toBe(true);
	expect(await running).toBe(300);
	await other.dispose();
	await other[Symbol.asyncDispose]();
	await expect(other.predict('x')).rejects.toMatchObject({ code: 'CLASSIFIER_CLOSED' });
});

test('calls at the same time do not disturb each other', async () => {
	const alone = await classifier.predict(texts);
	const all = await Promise.all(Array.from({ length: 8 }, () => classifier.predict(texts)));
	for (const results of all) expect(results).toEqual(alone);
});

test('the list may be changed after the call', async () => {
	const list = Array.from({ length: 600 }, () => 'x');
	const results = classifier.predict(list);
	list.length = 0;
	expect(await results).toHaveLength(600);
});

test('a body without a trained head is refused with the way to train one', async () => {
	await expect(Classifier.load('minilm-l6')).rejects.toMatchObject({
		name: 'ModelError',
		code: 'MODEL_NOT_TRAINED',
		hint: expect.stringContaining('distiltune train'),
	});
});

test('a damaged model folder is refused with file and reason', () =>
	copyOfTiny(async (folder) => {
		const config = await readFile(join(folder, 'config.json'), 'utf8');
		await writeFile(join(folder, 'config.json'), config.replace('"2": "alarmed"', '"2": "alarmed", "3": "lost"'));
		await expect(Classifier.load(folder)).rejects.toMatchObject({
			code: 'TENSOR_SHAPE',
			message: expect.stringContaining('`classifier.weight`'),
			hint: expect.stringContaining('labels'),
		});
		await writeFile(join(folder, 'config.json'), config.replace('"vocab_size": 600', '"vocab_size": 500'));
		await expect(Classifier.load(folder)).rejects.toMatchObject({ code: 'VOCABULARY_MISMATCH' });
		await writeFile(join(folder, 'config.json'), config);
		await truncate(join(folder, 'model.safetensors'), 100_000);
		await expect(Classifier.load(folder)).rejects.toMatchObject({
			name: 'ModelError',
			code: 'SAFETENSORS_INVALID',
			message: expect.stringContaining(folder),
		});
		await rm(join(folder, 'config.json'));
		await expect(Classifier.load(folder)).rejects.toMatchObject({ code: 'CONFIG_MISSING' });
		await expect(Classifier.load(join(folder, 'none'))).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' });
	}));

test('threads out of range are refused', async () => {
	await expect(Classifier.load(tiny, { threads: -1 })).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
});

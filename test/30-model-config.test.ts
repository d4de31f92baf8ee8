import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { configText, parameterCount, parseConfig, readConfig, withLabels } from '../lib/model/config.js';

const tiny = fileURLToPath(new URL('fixtures/tiny-model/', import.meta.url));
const minilm = fileURLToPath(new URL('../models/minilm-l6/', import.meta.url));
const sound = JSON.parse(await readFile(join(tiny, 'config.json'), 'utf8')) as Record<string, unknown>;

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
	const folder = await mkdtemp(join(tmpdir(), 'distiltune-'));
	await body(folder).finally(() => rm(folder, { recursive: true }));
}

test('a config that Transformers saved is read whole', async () => {
	expect(await readConfig(tiny)).toMatchObject({
		shape: { vocabSize: 600, maxPositions: 128, layers: 3, heads: 4, dim: 48, hiddenDim: 96, labels: 3, activation: 'gelu' },
		dropout: 0.1,
		attentionDropout: 0.1,
		classifierDropout: 0.2,
		initializerRange: 0.02,
		labels: ['calm', 'worried', 'alarmed'],
		padTokenId: 0,
		problemType: null,
	});
});

test('a body without labels has two nameless ones', async () => {
	expect((await readConfig(minilm)).labels).toEqual(['LABEL_0', 'LABEL_1']);
});

test('a config is written as Transformers wrote it, but for the version and the problem type that training adds', async () => {
	const saved = await readFile(join(tiny, 'config.json'), 'utf8');
	const expected = saved
		.replace(/ {2}"transformers_version": .*\n/, '')
		.replace('  "qa_dropout"', '  "problem_type": "single_label_classification",\n  "qa_dropout"');
	const config = await readConfig(tiny);
	expect(configText(withLabels(config, config.labels, 'single_label_classification'))).toBe(expected);
});

test.each(['single_label_classification', 'multi_label_classification', 'regression'] as const)('the kind of problem is kept: %s', (problemType) => {
	const labels = problemType === 'regression' ? ['LABEL_0'] : ['a', 'b'];
	const text = configText(withLabels(parseConfig(sound), labels, problemType));
	expect(JSON.parse(text)).toMatchObject({ problem_type: problemType, id2label: { 0: labels[0] } });
	expect(parseConfig(JSON.parse(text))).toMatchObject({ problemType, labels, shape: { labels: labels.length } });
});

test('labels beyond ASCII and one called __proto__ survive a save', () => {
	const labels = ['froh', 'größer "als"', '漢\u{1f600}', '__proto__', '10', '9'];
	const text = configText(withLabels(parseConfig(sound), labels, 'single_label_classification'));
	expect(text).toMatch(/^[\x20-\x7e\n]*$/);
	expect(text).toContain('"gr\\u00f6\\u00dfer \\"als\\""');
	expect(parseConfig(JSON.parse(text)).labels).toEqual(labels);
});

test('keys this package does not read are kept, those about another place are not', () => {
	const text = configText(
		parseConfig({ ...sound, tie_weights_: true, auto_map: { AutoModel: 'evil.Model' }, _name_or_path: 'x', torch_dtype: 'float16' }),
	);
	const written = JSON.parse(text) as Record<string, unknown>;
	expect(written).toHaveProperty('tie_weights_', true);
	expect(written).not.toHaveProperty('auto_map');
	expect(written).not.toHaveProperty('_name_or_path');
	expect(written).not.toHaveProperty('torch_dtype');
});

test('a checkpoint of Transformers 4.18 says the same as one of 5.23, but for the names of its two classes', async () => {
	const { labels, extra, ...five } = await readConfig(fileURLToPath(new URL('fixtures/reference/checkpoint/checkpoint-12/', import.meta.url)));
	// As 4.18 saves a classifier after training: no id2label where both labels have their default names, torch_dtype, the keys of the hub.
	const four = {
		_name_or_path: 'distilbert-base-uncased',
		activation: 'gelu',
		architectures: ['DistilBertForSequenceClassification'],
		attention_dropout: 0.1,
		dim: 16,
		dropout: 0.1,
		hidden_dim: 32,
		initializer_range: 0.5,
		max_position_embeddings: 64,
		model_type: 'distilbert',
		n_heads: 2,
		n_layers: 2,
		pad_token_id: 0,
		problem_type: 'single_label_classification',
		qa_dropout: 0.1,
		seq_classif_dropout: 0.2,
		sinusoidal_pos_embds: false,
		tie_weights_: true,
		torch_dtype: 'float32',
		transformers_version: '4.18.0',
		vocab_size: 300,
	};
	expect(parseConfig(four)).toMatchObject({ ...five, labels: ['LABEL_0', 'LABEL_1'] });
	expect(labels).toEqual(['control', 'depression']);
	expect(extra).not.toHaveProperty('dtype');
	expect(parseConfig({ ...four, problem_type: null, architectures: ['DistilBertForMaskedLM'] })).toMatchObject({
		...five,
		problemType: null,
		labels: ['LABEL_0', 'LABEL_1'],
	});
});

test("BERT's keys are understood", () => {
	const bert = {
		model_type: 'bert',
		hidden_size: 24,
		num_attention_heads: 3,
		num_hidden_layers: 2,
		intermediate_size: 40,
		hidden_act: 'relu',
		hidden_dropout_prob: 0.3,
		attention_probs_dropout_prob: 0.4,
		max_position_embeddings: 64,
		vocab_size: 100,
		type_vocab_size: 2,
		layer_norm_eps: 1e-12,
	};
	const config = parseConfig(bert);
	expect(config.shape).toEqual({ vocabSize: 100, maxPositions: 64, layers: 2, heads: 3, dim: 24, hiddenDim: 40, labels: 2, activation: 'relu' });
	expect(config).toMatchObject({ dropout: 0.3, attentionDropout: 0.4, extra: {} });
	expect(() => parseConfig({ ...bert, layer_norm_eps: 1e-5 })).toThrow(/layer_norm_eps is 0.00001/);
	expect(() => parseConfig({ ...bert, position_embedding_type: 'relative_key' })).toThrow(/position_embedding_type/);
});

test("the base model has Transformers' number of parameters", () => {
	const shape = { vocabSize: 30522, maxPositions: 512, layers: 6, heads: 12, dim: 768, hiddenDim: 3072, labels: 2, activation: 'gelu' } as const;
	expect(parameterCount(shape)).toBe(66_955_010);
});

const deep = () => JSON.parse(`${'['.repeat(5000)}${']'.repeat(5000)}`) as unknown;
const hostile: [string, Record<string, unknown>, RegExp][] = [
	['300 layers', { n_layers: 300 }, /n_layers is 300/],
	['dim 0', { dim: 0 }, /dim is 0/],
	['dim 1e9', { dim: 1e9 }, /dim is 1000000000/],
	['dim as text', { dim: '48' }, /dim is "48"/],
	['dim with a fraction', { dim: 48.5, n_heads: 1 }, /dim is 48.5, expected a whole number/],
	['heads that do not divide dim', { n_heads: 5 }, /n_heads is 5, expected a divisor of dim, which is 48/],
	['no heads', { n_heads: 0 }, /n_heads is 0/],
	['no vocabulary size', { vocab_size: undefined }, /vocab_size is missing/],
	['no labels', { id2label: {} }, /no labels/],
	['num_labels 0', { id2label: undefined, num_labels: 0 }, /num_labels is 0/],
	['num_labels 1e9', { id2label: undefined, num_labels: 1e9 }, /num_labels is 1000000000/],
	['a hole in id2label', { id2label: { 0: 'a', 2: 'b' } }, /no text for "1"/],
	['a label that is no text', { id2label: { 0: 'a', 1: 7 } }, /no text for "1"/],
	['two labels of one name', { id2label: { 0: 'a', 1: 'a' } }, /the same name/],
	['id2label keyed __proto__', { id2label: JSON.parse('{"0": "a", "__proto__": "b"}') as unknown }, /no text for "1"/],
	['id2label as a list', { id2label: ['a', 'b'] }, /id2label is not an object/],
	['an unknown activation', { activation: 'swish' }, /activation is "swish"/],
	['another architecture', { model_type: 'roberta' }, /model_type is "roberta", expected "distilbert"/],
	['no model type', { model_type: undefined }, /model_type is missing/],
	['another kind of problem', { problem_type: 'ranking' }, /problem_type is "ranking", expected one of single_label_classification, multi/],
	['dropout 1', { dropout: 1 }, /dropout is 1/],
	['more parameters than 1e9', { dim: 32768, n_heads: 32, hidden_dim: 131072 }, /expected at most 1000000000/],
	['pad token outside the vocabulary', { pad_token_id: 600 }, /pad_token_id is 600/],
	['values nested 5,000 deep', { deep: deep() }, /nested more than 64 deep/],
];
test.each(hostile)('%s is refused', (_, change, message) => {
	const config = JSON.parse(JSON.stringify({ ...sound, ...change, deep: undefined })) as Record<string, unknown>;
	if (change.deep !== undefined) config.deep = change.deep;
	if (change.id2label !== undefined) config.id2label = change.id2label;
	expect(() => parseConfig(config)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringMatching(message) }));
});

test.each<[string, string | Buffer]>([
	['an empty file', ''],
	['a cut file', '{"model_type": "distil'],
	['an array', '[]'],
	['null', 'null'],
	['bytes that are not UTF-8', Buffer.from([0x7b, 0xff, 0x7d])],
])('a config.json that is %s is refused with its path', (_, content) =>
	inFolder(async (folder) => {
		await writeFile(join(folder, 'config.json'), content);
		await expect(readConfig(folder)).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining(join(folder, 'config.json')) });
	}),
);

test('a config.json of 100 MB is refused unread, a missing one with a way out', () =>
	inFolder(async (folder) => {
		await expect(readConfig(folder)).rejects.toMatchObject({ code: 'CONFIG_MISSING', hint: expect.stringContaining('minilm-l6') });
		await writeFile(join(folder, 'config.json'), '{');
		await truncate(join(folder, 'config.json'), 100e6);
		await expect(readConfig(folder)).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('100000000 bytes') });
	}));

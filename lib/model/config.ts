import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ModelError } from '../errors.js';
import type { Dtype, ModelShape } from '../runtime/native.js';
import { type Decision, decisionKey, plainDecision, readDecision } from './decision.js';

export const problemTypes = ['single_label_classification', 'multi_label_classification', 'regression'] as const;
/** What a row is given: one label, any number of labels, or a number. */
export type ProblemType = (typeof problemTypes)[number];

/** What config.json says of a DistilBERT, checked: every size is in range and the model is small enough to allocate. */
export interface ModelConfig {
	readonly shape: ModelShape;
	readonly dropout: number;
	readonly attentionDropout: number;
	readonly classifierDropout: number;
	/** Standard deviation of a newly drawn head. */
	readonly initializerRange: number;
	/** Name of every class, by index. */
	readonly labels: readonly string[];
	readonly padTokenId: number;
	/** null until a classifier was trained. */
	readonly problemType: ProblemType | null;
	/** How its logits become probabilities and a label. */
	readonly decision: Decision;
	/** Keys that Transformers keeps but this package does not read; written back as they were. */
	readonly extra: Readonly<Record<string, unknown>>;
}

// A classifier's config.json has a few kilobytes, a few hundred with thousands of labels.
const largestFile = 8 * 2 ** 20;
const deepestNesting = 64;
const mostParameters = 1e9;

/** Keys of BERT's configuration -> DistilBERT's. DistilBERT's own classes read the first three as aliases too. */
const aliases: Readonly<Record<string, string>> = {
	num_hidden_layers: 'n_layers',
	num_attention_heads: 'n_heads',
	hidden_size: 'dim',
	intermediate_size: 'hidden_dim',
	hidden_dropout_prob: 'dropout',
	attention_probs_dropout_prob: 'attention_dropout',
	hidden_act: 'activation',
};

/** Keys that are written from ModelConfig, or that would be wrong after a save (they name where the model came from). */
const ownKeys = new Set([
	...Object.keys(aliases),
	...Object.values(aliases),
	...['seq_classif_dropout', 'initializer_range', 'id2label', 'label2id', 'num_labels', 'pad_token_id', 'problem_type', 'vocab_size'],
	...[
		'max_position_embeddings',
		'model_type',
		'architectures',
		'dtype',
		'torch_dtype',
		'transformers_version',
		'auto_map',
		'_name_or_path',
		'distiltune',
	],
]);

/** Number of values of all parameters, exact up to 2^53. */
export function parameterCount(shape: ModelShape): number {
	const { vocabSize, maxPositions, layers, dim, hiddenDim, labels } = shape;
	const layer = 4 * (dim * dim + dim) + 2 * dim * hiddenDim + hiddenDim + dim + 4 * dim;
	return (vocabSize + maxPositions + 2) * dim + layers * layer + dim * dim + dim + labels * dim + labels;
}

/** The same without the word and position tables: what a token is multiplied with. */
export function parametersBesideEmbeddings(shape: ModelShape): number {
	return parameterCount(shape) - (shape.vocabSize + shape.maxPositions) * shape.dim;
}

/** Reads and checks `folder`/config.json. Throws ModelError CONFIG_MISSING or CONFIG_INVALID. */
export async function readConfig(folder: string): Promise<ModelConfig> {
	const file = join(folder, 'config.json');
	const info = await stat(file).catch((cause: unknown) => {
		throw new ModelError('CONFIG_MISSING', `Expected a model folder with config.json, but ${file} cannot be read`, {
			cause,
			hint: 'name a folder that holds config.json, model.safetensors and vocab.txt, or use --model minilm-l6',
		});
	});
	if (!info.isFile()) throw invalid(file, 'it is not a file');
	if (info.size > largestFile) throw invalid(file, `it has ${info.size} bytes, expected at most ${largestFile}`);
	let value: unknown;
	try {
		value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(await readFile(file)));
	} catch (cause) {
		throw invalid(file, `it is not JSON in UTF-8 (${(cause as Error).message})`, cause);
	}
	return parseConfig(value, file);
}

/** Checks a parsed config.json; `file` is for messages. */
export function parseConfig(value: unknown, file = 'config.json'): ModelConfig {
	if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(file, 'it is not a JSON object');
	if (!shallow(value)) throw invalid(file, `it is nested more than ${deepestNesting} deep`);
	const raw = new Map<string, unknown>(Object.entries(value));
	const modelType = raw.get('model_type');
	if (modelType !== 'distilbert' && modelType !== 'bert')
		throw invalid(file, `model_type is ${show(modelType)}, expected "distilbert", or "bert" for an encoder that can be folded in`);
	for (const [alias, name] of Object.entries(aliases)) if (!raw.has(name) && raw.has(alias)) raw.set(name, raw.get(alias));
	if (modelType === 'bert') checkFoldable(raw, file);

	const number = (key: string, low: number, high: number, fallback?: number): number => {
		const got = raw.get(key) ?? fallback;
		if (typeof got !== 'number' || !(got >= low && got <= high))
			throw invalid(file, `${key} is ${show(got)}, expected a number from ${low} to ${high}`);
		return got;
	};
	const size = (key: string, high: number): number => {
		const got = number(key, 1, high);
		if (!Number.isInteger(got)) throw invalid(file, `${key} is ${got}, expected a whole number`);
		return got;
	};
	const activation = raw.get('activation') ?? 'gelu';
	if (activation !== 'gelu' && activation !== 'relu') throw invalid(file, `activation is ${show(activation)}, expected "gelu" or "relu"`);
	const labels = readLabels(raw, file);
	const shape: ModelShape = {
		vocabSize: size('vocab_size', 1e7),
		maxPositions: size('max_position_embeddings', 1e6),
		layers: size('n_layers', 128),
		heads: size('n_heads', 1024),
		dim: size('dim', 65536),
		hiddenDim: size('hidden_dim', 1e6),
		labels: labels.length,
		activation,
	};
	if (shape.dim % shape.heads !== 0) throw invalid(file, `n_heads is ${shape.heads}, expected a divisor of dim, which is ${shape.dim}`);
	const parameters = parameterCount(shape);
	if (parameters > mostParameters) throw invalid(file, `its sizes make ${parameters} parameters, expected at most ${mostParameters}`);
	const problemType = raw.get('problem_type') ?? null;
	if (problemType !== null && !isProblemType(problemType))
		throw invalid(file, `problem_type is ${show(problemType)}, expected one of ${problemTypes.join(', ')}`);
	const padTokenId = number('pad_token_id', 0, shape.vocabSize - 1, 0);
	if (!Number.isInteger(padTokenId)) throw invalid(file, `pad_token_id is ${padTokenId}, expected a whole number`);
	return {
		shape,
		dropout: number('dropout', 0, 0.99, 0.1),
		attentionDropout: number('attention_dropout', 0, 0.99, 0.1),
		classifierDropout: number('seq_classif_dropout', 0, 0.99, 0.2),
		initializerRange: number('initializer_range', 0, 10, 0.02),
		labels,
		padTokenId,
		problemType,
		decision: readDecision(raw.get('distiltune'), labels.length, (reason) => invalid(file, reason)),
		extra: modelType === 'distilbert' ? Object.fromEntries(Object.entries(value).filter(([key]) => !ownKeys.has(key))) : {},
	};
}

const isProblemType = (value: unknown): value is ProblemType => (problemTypes as readonly unknown[]).includes(value);

/** What a model is for: without a word of it, one label a row. */
export const problemOf = ({ problemType }: ModelConfig): ProblemType => problemType ?? 'single_label_classification';

/** The same body with an output for each of these labels. */
export function withLabels(config: ModelConfig, labels: readonly string[], problemType: ProblemType): ModelConfig {
	return { ...config, labels, shape: { ...config.shape, labels: labels.length }, problemType, decision: plainDecision };
}

/** config.json as Transformers 5 leaves it beside weights of that dtype, with id2label always written out and without transformers_version. */
export function configText(config: ModelConfig, weights: Dtype = 'fp32'): string {
	const { shape } = config;
	const written: Record<string, unknown> = {
		bos_token_id: null,
		eos_token_id: null,
		qa_dropout: 0.1,
		sinusoidal_pos_embds: false,
		tie_word_embeddings: true,
		...config.extra,
		activation: shape.activation,
		architectures: ['DistilBertForSequenceClassification'],
		attention_dropout: config.attentionDropout,
		dim: shape.dim,
		...decisionKey(config.decision),
		dropout: config.dropout,
		dtype: weights === 'bf16' ? 'bfloat16' : 'float32', // what Transformers opens the weights in
		hidden_dim: shape.hiddenDim,
		id2label: Object.fromEntries(config.labels.map((label, id) => [id, label])),
		initializer_range: config.initializerRange,
		label2id: Object.fromEntries(config.labels.map((label, id): [string, number] => [label, id]).sort(([a], [b]) => (a < b ? -1 : 1))),
		max_position_embeddings: shape.maxPositions,
		model_type: 'distilbert',
		n_heads: shape.heads,
		n_layers: shape.layers,
		pad_token_id: config.padTokenId,
		...(config.problemType === null ? {} : { problem_type: config.problemType }),
		seq_classif_dropout: config.classifierDropout,
		vocab_size: shape.vocabSize,
	};
	const sorted = Object.fromEntries(Object.entries(written).sort(([a], [b]) => (a < b ? -1 : 1)));
	// Python's json escapes everything beyond ASCII.
	const ascii = (text: string) => text.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
	return `${ascii(JSON.stringify(sorted, null, 2))}\n`;
}

/** What a BERT must be for DistilBERT to compute the same (semantics of the two differ elsewhere only in training). */
function checkFoldable(raw: ReadonlyMap<string, unknown>, file: string): void {
	const must = (key: string, expected: unknown) => {
		const got = raw.get(key) ?? expected;
		if (got !== expected) throw invalid(file, `${key} is ${show(got)}; a BERT encoder can be folded in only with ${show(expected)}`);
	};
	must('layer_norm_eps', 1e-12);
	must('position_embedding_type', 'absolute');
	must('is_decoder', false);
}

function readLabels(raw: ReadonlyMap<string, unknown>, file: string): string[] {
	const id2label = raw.get('id2label');
	if (id2label === undefined || id2label === null) {
		const count = raw.get('num_labels') ?? 2;
		if (typeof count !== 'number' || !Number.isInteger(count) || count < 1 || count > 1e6)
			throw invalid(file, `num_labels is ${show(count)}, expected a whole number from 1 to 1000000`);
		return Array.from({ length: count }, (_, id) => `LABEL_${id}`);
	}
	if (typeof id2label !== 'object' || Array.isArray(id2label)) throw invalid(file, 'id2label is not an object');
	const named = new Map<string, unknown>(Object.entries(id2label));
	if (named.size === 0) throw invalid(file, 'id2label has no labels, expected at least one');
	const labels = Array.from({ length: named.size }, (_, id) => {
		const label = named.get(String(id));
		if (typeof label !== 'string')
			throw invalid(file, `id2label has ${named.size} labels but no text for "${id}"; ids must count from 0 without a hole`);
		return label;
	});
	if (new Set(labels).size !== labels.length) throw invalid(file, 'id2label gives two classes the same name');
	return labels;
}

/** Whether no array or object lies deeper than deepestNesting; without recursion, which a hostile file could exhaust. */
function shallow(value: object): boolean {
	let level: object[] = [value];
	for (let depth = 0; level.length > 0; depth++) {
		if (depth === deepestNesting) return false;
		level = level.flatMap((each) => Object.values(each).filter((inner): inner is object => typeof inner === 'object' && inner !== null));
	}
	return true;
}

function show(value: unknown): string {
	const text = JSON.stringify(value) ?? 'missing';
	return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function invalid(file: string, reason: string, cause?: unknown): ModelError {
	return new ModelError('CONFIG_INVALID', `${file} does not describe a DistilBERT classifier: ${reason}`, { cause });
}

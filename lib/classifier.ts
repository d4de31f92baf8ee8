import { AbortError, ConfigError, DataError, DistiltuneError, fromNative, ModelError } from './errors.js';
import { type ModelFolder, openModelFolder, resolveModel } from './model/folder.js';
import { type Prediction, predict, type RankedLabel, ranked } from './model/predict.js';
import { loadVocabulary } from './model/vocabulary.js';
import { loadBase } from './runtime/load.js';
import type { NativePredictor, NativeTokenizer } from './runtime/native.js';

export interface ClassifierOptions {
	/** Threads of the forward pass; 0 means one per physical core. @default 0 */
	readonly threads?: number;
}

export interface PredictOptions {
	/** Give the best `topK` labels as a list instead. From 1; more than there are labels gives all of them. */
	readonly topK?: number;
	/** Longest row in tokens, [CLS] and [SEP] included, from 2; longer texts are cut. @default what the model can take, at most 512 */
	readonly maxLength?: number;
	/** Stops between batches; the call then rejects with AbortError. */
	readonly signal?: AbortSignal;
}

/** A trained classifier of texts. Runs on the CPU without libtorch. */
export class Classifier implements AsyncDisposable {
	/** Names of the classes, by index. */
	readonly labels: readonly string[];
	readonly #predictor: NativePredictor;
	readonly #tokenizer: NativeTokenizer;
	readonly #longest: number;
	readonly #running = new Set<Promise<unknown>>();
	#disposed: Promise<void> | undefined;

	private constructor(model: ModelFolder, predictor: NativePredictor, tokenizer: NativeTokenizer) {
		this.labels = model.config.labels;
		this.#longest = model.config.shape.maxPositions;
		this.#predictor = predictor;
		this.#tokenizer = tokenizer;
	}

	/** Opens a model by folder or name. Throws ModelError: MODEL_NOT_FOUND, MODEL_NOT_TRAINED, CONFIG_*, SAFETENSORS_INVALID, TENSOR_*. */
	static async load(folderOrName: string, options: ClassifierOptions = {}): Promise<Classifier> {
		const threads = wholeNumber('threads', options.threads ?? 0, 0, 1024);
		const model = await openModelFolder(await resolveModel(folderOrName));
		const { shape } = model.config;
		if (shape.labels < 2) throw new ModelError('CONFIG_INVALID', `${model.folder} has one label, expected a classifier with at least two`);
		const spec = await loadVocabulary(model.folder);
		if (spec.tokens.length > shape.vocabSize)
			throw new ModelError(
				'VOCABULARY_MISMATCH',
				`${model.folder} has a vocabulary of ${spec.tokens.length} tokens, but its model knows ${shape.vocabSize}`,
			);
		const base = loadBase();
		const predictor = await base.openPredictor({ weights: model.weights, shape, threads }).catch((cause: unknown) => {
			throw fromNative(cause, ModelError);
		});
		return new Classifier(model, predictor, new base.Tokenizer(spec));
	}

	predict(text: string, options: PredictOptions & { readonly topK: number }): Promise<RankedLabel[]>;
	predict(texts: readonly string[], options: PredictOptions & { readonly topK: number }): Promise<RankedLabel[][]>;
	predict(text: string, options?: PredictOptions): Promise<Prediction>;
	predict(texts: readonly string[], options?: PredictOptions): Promise<Prediction[]>;
	/** One text in, one result out; many in, many out, in order. A result does not depend on the other texts of the call. */
	async predict(input: string | readonly string[], options: PredictOptions = {}): Promise<unknown> {
		if (this.#disposed) throw new DistiltuneError('CLASSIFIER_CLOSED', 'Expected an open classifier, but dispose() was called on it');
		const texts: string[] = [];
		for (const text of Array.isArray(input) ? (input as readonly unknown[]) : [input]) {
			if (typeof text !== 'string') throw new DataError('TEXT_INVALID', `Expected a text or a list of texts, got ${typeof text}`);
			texts.push(text);
		}
		const call = this.#predict(texts, options);
		this.#running.add(call);
		try {
			const results = await call;
			return typeof input === 'string' ? results[0] : results;
		} finally {
			this.#running.delete(call);
		}
	}

	async #predict(texts: readonly string[], options: PredictOptions): Promise<(Prediction | RankedLabel[])[]> {
		const maxLength = wholeNumber('maxLength', options.maxLength ?? Math.min(512, this.#longest), 2, this.#longest);
		const topK = options.topK === undefined ? undefined : wholeNumber('topK', options.topK, 1, Number.MAX_SAFE_INTEGER);
		const encodeOptions = { maxLength, addSpecialTokens: true, matchSpecialTokens: true, spans: false };
		const predictions = await predict(texts, {
			labels: this.labels,
			encode: (some) => this.#tokenizer.encode(some, encodeOptions),
			logits: (batch) => this.#predictor.logits(batch),
			stopIfAborted: () => {
				if (options.signal?.aborted) throw new AbortError('Classifying was stopped by its signal', { cause: options.signal.reason });
			},
		});
		return topK === undefined ? predictions : predictions.map(({ scores }) => ranked(this.labels, scores).slice(0, topK));
	}

	/** Frees the native memory once running calls have ended. Twice is fine. */
	dispose(): Promise<void> {
		this.#disposed ??= Promise.allSettled([...this.#running]).then(async () => {
			this.#tokenizer.close();
			await this.#predictor.close();
		});
		return this.#disposed;
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.dispose();
	}
}

function wholeNumber(name: string, value: number, low: number, high: number): number {
	if (!Number.isInteger(value) || value < low || value > high)
		throw new ConfigError('OPTIONS_INVALID', `Expected \`${name}\` to be a whole number from ${low} to ${high}, got ${value}`);
	return value;
}

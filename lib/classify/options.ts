/** What callers of a Classifier may ask for. All that is wrong with it comes in one ConfigError OPTIONS_INVALID. */
import { ConfigError } from '../errors.js';
import { type HeadOptions, headOptions } from '../learn.js';
import type { ProblemType } from '../model/config.js';
import { faultOf } from '../option-check.js';
import type { ThresholdMetric } from '../report/calibration.js';
import { type Dtype, dtypes } from '../runtime/native.js';
import type { BatcherOptions } from './batcher.js';

export interface ClassifierOptions<Problem extends ProblemType = ProblemType> {
	/** What the model must be for, and so the shape of all that is told; others are refused. @default what it is for, typed as of one label a text */
	readonly problemType?: Problem;
	/** Threads of the forward pass; 0 means one per physical core. @default 0 */
	readonly threads?: number;
	/**
	 * What weights are kept and multiplied in: 'int8' takes a quarter of the memory and less than half the time, 'bf16' half the memory, and less
	 * time only where the CPU multiplies it natively; both move scores a little (docs/inference.md). @default what the weights were saved in, by
	 * this package or by Transformers: bf16 where they are BF16, fp32 where they are F32, F16 or mixed
	 */
	readonly dtype?: Dtype;
	/**
	 * Most tokens that are classified in one go; a longer text goes alone. Calls made at the same time share batches, a call with many texts takes
	 * several. Larger batches take more memory and let a new call wait longer for the one under way. From 1. @default 512
	 */
	readonly maxBatchTokens?: number;
	/**
	 * How long a batch that is not full waits for the texts of other calls, in milliseconds. 0: what has gathered while a batch was under way
	 * goes together, and nothing waits where nothing is under way. @default 0
	 */
	readonly maxWaitMs?: number;
}

/** How texts are read. */
export interface ReadOptions {
	/** Longest row in tokens, [CLS] and [SEP] included, from 2; longer texts are cut. @default what the model can take, at most 512 */
	readonly maxLength?: number;
	/** Ends the call: it rejects with AbortError at once, what waits is dropped. */
	readonly signal?: AbortSignal;
}

/** How a text longer than maxLength is read whole: in overlapping windows, each classified as a text. */
export interface Windows {
	/** Tokens that neighbouring windows share, as `stride` of Transformers' tokenizers; from 0 to maxLength - 3. */
	readonly stride: number;
	/** What becomes of a label's scores (a regression's numbers): their mean, or the largest of them, which then need not sum to 1. @default 'mean' */
	readonly aggregate?: 'mean' | 'max';
}

export interface PredictOptions extends ReadOptions {
	/** Give the `topK` labels with the highest scores as a list instead; not with a regression. From 1; more than there are labels gives all of them. */
	readonly topK?: number;
	/**
	 * Score from which on a label is given, from 0 to 1. Of several labels a text: of each label, in place of "above one half". With `topK`: of
	 * what the list holds. Of two labels: of the second, in place of the classifier's own `threshold`. Otherwise refused: the largest score says.
	 */
	readonly threshold?: number;
	/** Read long texts whole; `truncated` is then false and `tokens` counts the whole text. @default long texts are cut */
	readonly windows?: Windows;
}

export interface ThresholdOptions extends ReadOptions {
	/** What is to be best: F1 of the second label, accuracy, Matthews correlation, or Youden's J (sensitivity + specificity - 1). @default 'f1' */
	readonly metric?: ThresholdMetric;
}

/** How texts are read, and a head fitted. */
export interface LearnOptions extends ReadOptions, HeadOptions {}

export interface SaveOptions {
	/** What weights are written in. @default as they are */
	readonly dtype?: Dtype;
}

/** What options are checked against. */
export interface Limits {
	readonly problemType: ProblemType;
	readonly labels: readonly string[];
	/** Longest row the model can take. */
	readonly longest: number;
}

export function checkedLoad({
	threads = 0,
	dtype,
	maxBatchTokens = 512,
	maxWaitMs = 0,
}: ClassifierOptions): BatcherOptions & { readonly threads: number; readonly dtype: Dtype | undefined } {
	refuse([
		faultOf({ kind: 'integer', min: 0, max: 1024 }, threads, 'threads'),
		dtypeFault(dtype),
		faultOf({ kind: 'integer', min: 1 }, maxBatchTokens, 'maxBatchTokens'),
		// The longest a timer can be.
		faultOf({ kind: 'number', min: 0, max: 2 ** 31 - 1 }, maxWaitMs, 'maxWaitMs'),
	]);
	return { threads, dtype, maxBatchTokens, maxWaitMs };
}

export function checkedSave({ dtype }: SaveOptions): SaveOptions {
	refuse([dtypeFault(dtype)]);
	return { ...(dtype && { dtype }) };
}

const dtypeFault = (dtype: unknown) => (dtype === undefined ? undefined : faultOf({ kind: 'choice', choices: dtypes }, dtype, 'dtype'));

/** Longest row in tokens; all that is wrong with that and the options of a head. */
export function checkedLearn(options: LearnOptions, { longest }: Limits): Required<HeadOptions> & { readonly maxLength: number } {
	const maxLength = options.maxLength ?? Math.min(512, longest);
	return { ...headOptions(options, [lengthFault(maxLength, longest)]), maxLength };
}

/** Longest row in tokens. */
export function checkedLength({ maxLength }: ReadOptions, { longest }: Limits): number {
	const length = maxLength ?? Math.min(512, longest);
	refuse([lengthFault(length, longest)]);
	return length;
}

const lengthFault = (maxLength: unknown, longest: number, least = 2) =>
	faultOf({ kind: 'integer', min: least, max: longest }, maxLength, 'maxLength');

export function checkedPredict(options: PredictOptions, limits: Limits): PredictOptions & { readonly maxLength: number } {
	const { problemType, labels, longest } = limits;
	const { maxLength = Math.min(512, longest), topK, threshold, windows } = options;
	const { stride, aggregate = 'mean' } = Object(windows) as Partial<Windows>;
	const faults = [lengthFault(maxLength, longest, windows === undefined ? 2 : 3)];
	if (topK !== undefined) {
		faults.push(
			problemType === 'regression'
				? 'Expected no `topK` where a text is given a number: it has no labels'
				: faultOf({ kind: 'integer', min: 1 }, topK, 'topK'),
		);
	}
	if (threshold !== undefined) {
		const isMeant = problemType === 'multi_label_classification' || (problemType !== 'regression' && (topK !== undefined || labels.length === 2));
		faults.push(
			isMeant
				? faultOf({ kind: 'number', min: 0, max: 1 }, threshold, 'threshold')
				: `Expected no \`threshold\` where a text is given ${problemType === 'regression' ? 'a number' : `one of ${labels.length} labels, unless with \`topK\``}`,
		);
	}
	if (windows !== undefined) {
		faults.push(
			faultOf({ kind: 'integer', min: 0, max: Math.max(0, maxLength - 3) }, stride, 'windows.stride'),
			faultOf({ kind: 'choice', choices: ['mean', 'max'] }, aggregate, 'windows.aggregate'),
		);
	}
	refuse(faults);
	return { ...options, maxLength };
}

function refuse(faults: readonly (string | undefined)[]): void {
	const found = faults.filter((fault) => fault !== undefined);
	if (found.length > 0) throw new ConfigError('OPTIONS_INVALID', found.join('; '));
}

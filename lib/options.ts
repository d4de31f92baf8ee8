/** Options of a training run: types documented on the field, and the one table of defaults, ranges and help. */
import { defaultSeparator } from './data/labels.js';
import type { DataInput } from './dataset.js';
import { ConfigError } from './errors.js';
import { type ProblemType, problemTypes } from './model/config.js';
import { faultOf, isKwargs, nearestName, type OptionSpec, show } from './option-check.js';
import type { ComputeMetrics } from './report/custom-metrics.js';
import type { EarlyStopping } from './train/best.js';
import type { TrainerCallback } from './train/callbacks.js';
import type { ClassWeights } from './train/class-weights.js';
import { type DtypeChoice, dtypeChoices } from './train/dtype.js';
import type { Sampling } from './train/sampling.js';
import { defaultLrEnd, kwargsOf, type ScheduleKwargs, type ScheduleName, scheduleNames } from './train/schedule.js';
import type { Freeze } from './train/session.js';

export type Optim = 'adamw_torch' | 'adamw_hf';

/** Transformers' names in camelCase, with Transformers' defaults. */
export interface TrainerConfig {
	/** Rows to learn from: a .csv or .jsonl file, a Dataset, or rows. */
	readonly train: DataInput;
	/** Rows to measure on, or a share of `train` to hold back for it. @default none */
	readonly eval?: DataInput | { readonly split: number };
	/** A folder, or the name of a model. @default 'distilbert-base-uncased' */
	readonly model?: string;
	/** Column or key that holds the text. @default 'text' */
	readonly textColumn?: string;
	/** Column or key that holds the label. @default 'label' */
	readonly labelColumn?: string;
	/** What a row is given: one label, any number of labels (a list, or in a file one text), or a number. @default 'single_label_classification' */
	readonly problemType?: ProblemType;
	/** What stands between the labels of a row where they are one text of a file. With 'multi_label_classification' only. @default '|' */
	readonly labelSeparator?: string;
	/** All labels, in the order of the model's outputs. @default the sorted labels of `train` */
	readonly labels?: readonly (string | number | boolean)[];
	/** Folder the trained model is written to. @default 'trainer_output' */
	readonly outputDir?: string;
	/** Longest row in tokens, [CLS] and [SEP] included; from 2 to what the model has positions for. @default 512, or the model's positions where fewer */
	readonly maxLength?: number;
	/** What a text longer than `maxLength` brings: one counted warning, nothing, or an error. @default 'warn' */
	readonly truncation?: 'warn' | 'silent' | 'error';
	/** Rate of the first step after warm-up, above 0. @default 5e-5 */
	readonly learningRate?: number;
	/** Rows of one batch. @default 8 */
	readonly perDeviceTrainBatchSize?: number;
	/** Rows of one evaluation batch. @default 8 */
	readonly perDeviceEvalBatchSize?: number;
	/** Passes over `train`; may be fractional. @default 3 */
	readonly numTrainEpochs?: number;
	/** Optimizer steps to take whatever `numTrainEpochs` says; -1 for no such limit. @default -1 */
	readonly maxSteps?: number;
	/** Batches whose gradients are averaged into one optimizer step. @default 1 */
	readonly gradientAccumulationSteps?: number;
	/** Global L2 norm above which gradients are scaled down; 0 for never. @default 1 */
	readonly maxGradNorm?: number;
	/** AdamW's decay of everything but biases and LayerNorm. @default 0 */
	readonly weightDecay?: number;
	/** AdamW's decay of the mean gradient, from 0 to below 1. @default 0.9 */
	readonly adamBeta1?: number;
	/** AdamW's decay of the mean squared gradient, from 0 to below 1. @default 0.999 */
	readonly adamBeta2?: number;
	/** AdamW's divisor guard, above 0. @default 1e-8 */
	readonly adamEpsilon?: number;
	/** Whose behaviour where Transformers 5 and 4.18 differ: order of rows, a new head's values, batches left over from accumulation, what is logged, `optim`. @default '5' */
	readonly compat?: '5' | '4.18';
	/** torch's AdamW, or that of Transformers up to 4. @default 'adamw_torch', or 'adamw_hf' with compat '4.18' */
	readonly optim?: Optim;
	/** How the rate moves after warm-up. @default 'linear' */
	readonly lrSchedulerType?: ScheduleName;
	/** What the schedule may be told beside its name. @default Transformers' own of each schedule */
	readonly lrSchedulerKwargs?: ScheduleKwargs;
	/** Steps over which the rate rises from 0; wins over `warmupRatio`. @default 0 */
	readonly warmupSteps?: number;
	/** Share of all steps spent warming up, from 0 to 1. @default 0 */
	readonly warmupRatio?: number;
	/** Share of each label's weight that is spread over all labels, from 0 to below 1; the validation loss is smoothed too, as in Transformers. @default 0 */
	readonly labelSmoothingFactor?: number;
	/** Weight of each label's rows in the training loss, which is their weighted mean: one a label, by name or in order, or 'balanced' for rows / (labels * rows of the label). The validation loss knows no weights; Transformers' Trainer has no such option. @default 1 each */
	readonly classWeights?: ClassWeights;
	/** Rows count (1 - p)^focalGamma in the loss, where p is the probability of their label: those that are nearly right count less (Lin et al. 2017, arXiv 1708.02002, who take 2). The validation loss is the same. Not beside `labelSmoothingFactor` or `classWeights`. @default 0, plain cross entropy */
	readonly focalGamma?: number;
	/** Which rows make an epoch: each once ('shuffle'), or as many drawn with replacement as torch's WeightedRandomSampler draws them, all labels alike ('balanced') or each row by a weight of its label, by name or in order. @default 'shuffle' */
	readonly sampling?: Sampling;
	/** What is left as it was, without gradients and without the memory and time they take: nothing, the embeddings, they and this many layers from below, or the whole encoder, so that the head alone is trained. Dropout stays on. @default 'none' */
	readonly freeze?: Freeze;
	/** Rows of like length share a batch, in Transformers' own order. @default false */
	readonly groupByLength?: boolean;
	/** Seeds a new head, dropout and the order of rows. @default 42 */
	readonly seed?: number;
	/** Seeds the order of rows and the split alone. @default `seed`, and with compat '4.18' a number drawn from it */
	readonly dataSeed?: number;
	/** Whether the short last batch of an epoch is left out. @default false */
	readonly dataloaderDropLast?: boolean;
	/** When to measure on `eval`. @default 'epoch' where `eval` is given, else 'no' */
	readonly evalStrategy?: 'epoch' | 'steps' | 'no';
	/** Steps between two evaluations with evalStrategy 'steps'. @default `loggingSteps` */
	readonly evalSteps?: number;
	/** When the running loss is logged. @default 'steps' */
	readonly loggingStrategy?: 'steps' | 'epoch' | 'no';
	/** Steps between two log entries. @default 500 */
	readonly loggingSteps?: number;
	/** Whether the first step is logged too. @default false */
	readonly loggingFirstStep?: boolean;
	/** When a checkpoint is saved, to go on from later: after each epoch, every `saveSteps` and at the end, at each evaluation that is the best so far, or never. @default 'epoch' */
	readonly saveStrategy?: 'epoch' | 'steps' | 'best' | 'no';
	/** Steps between two checkpoints with saveStrategy 'steps'. @default 500 */
	readonly saveSteps?: number;
	/** Checkpoints that are kept, the newest and the best one in any case; 0 for all of them. @default 2 */
	readonly saveTotalLimit?: number;
	/** Whether the model that is left is that of the best evaluation, not of the last step. @default true with `earlyStopping`, else false */
	readonly loadBestModelAtEnd?: boolean;
	/** Metric that says which evaluation is the best: one of Metrics that is a number, or of `computeMetrics`. @default 'loss' where a best is asked for, else none */
	readonly metricForBestModel?: string;
	/** Whether more of that metric is better. @default true, but false where its name ends in loss */
	readonly greaterIsBetter?: boolean;
	/** Ends the run after `patience` evaluations in a row that were not better than the best before by more than `minDelta`. @default never */
	readonly earlyStopping?: EarlyStopping;
	/** Called with each event; see TrainerCallback. @default none */
	readonly callbacks?: readonly TrainerCallback[];
	/** Called after each evaluation; its numbers go into the metrics. What it throws is a warning. @default none */
	readonly computeMetrics?: ComputeMetrics;
	/** What a loss or gradient norm that is no number brings: the end of the run, or a warning and an update left out, of which ten in a row end it too. @default 'stop' */
	readonly onNonFinite?: 'stop' | 'skip';
	/** What linear layers and attention multiply in: 'bf16' rounds both operands to bfloat16 and keeps weights, sums and all else in fp32; 'auto' is bf16 where the CPU multiplies it natively (AVX-512 BF16), else fp32. A resumed run keeps what it had. @default 'auto' */
	readonly dtype?: DtypeChoice;
	/** Threads for arithmetic; 0 for one per physical core. @default 0 */
	readonly threads?: number;
}

type Unsettled =
	| 'eval'
	| 'labels'
	| 'labelSeparator'
	| 'maxLength'
	| 'dataSeed'
	| 'classWeights'
	| 'metricForBestModel'
	| 'earlyStopping'
	| 'computeMetrics';
type Resolved = Required<Omit<TrainerConfig, Unsettled>>;

/** Every option settled. */
export interface ResolvedConfig extends Resolved {
	readonly eval: TrainerConfig['eval'] | undefined;
	readonly labels: readonly string[] | undefined;
	readonly labelSeparator: string | undefined;
	readonly maxLength: number | undefined;
	readonly dataSeed: number | undefined;
	readonly classWeights: ClassWeights | undefined;
	readonly metricForBestModel: string | undefined;
	readonly earlyStopping: EarlyStopping | undefined;
	readonly computeMetrics: ComputeMetrics | undefined;
}

const MAX_SEED = 2 ** 32 - 1;

/** The one table of options: checked here, turned into flags by the command line. */
export const optionTable: { readonly [Name in keyof Required<TrainerConfig>]: OptionSpec } = {
	train: { kind: 'data', help: 'rows to learn from (.csv or .jsonl)' },
	eval: { kind: 'dataOrSplit', help: 'rows to measure on' },
	model: { kind: 'text', default: 'distilbert-base-uncased', help: 'folder or name of the model to start from' },
	textColumn: { kind: 'text', default: 'text', help: 'column that holds the text' },
	labelColumn: { kind: 'text', default: 'label', help: 'column that holds the label' },
	problemType: { kind: 'choice', default: 'single_label_classification', choices: problemTypes, help: 'what a row is given' },
	labelSeparator: { kind: 'text', help: 'what parts several labels of a row that are one text (default: |)' },
	labels: { kind: 'list', help: 'all labels, in the order of the outputs' },
	outputDir: { kind: 'text', default: 'trainer_output', help: 'folder the trained model is written to' },
	maxLength: { kind: 'integer', min: 2, help: 'longest row in tokens (default: what the model has positions for, at most 512)' },
	truncation: { kind: 'choice', default: 'warn', choices: ['warn', 'silent', 'error'], help: 'what a longer text brings' },
	learningRate: { kind: 'number', default: 5e-5, min: 0, max: 1, open: 'min', help: 'rate of the first step after warm-up' },
	perDeviceTrainBatchSize: { kind: 'integer', default: 8, min: 1, help: 'rows of one batch' },
	perDeviceEvalBatchSize: { kind: 'integer', default: 8, min: 1, help: 'rows of one evaluation batch' },
	numTrainEpochs: { kind: 'number', default: 3, min: 0, open: 'min', help: 'passes over the rows' },
	maxSteps: { kind: 'integer', default: -1, min: -1, help: 'optimizer steps to take whatever the epochs say; -1 for no limit' },
	gradientAccumulationSteps: { kind: 'integer', default: 1, min: 1, help: 'batches averaged into one step' },
	maxGradNorm: { kind: 'number', default: 1, min: 0, help: 'gradient norm to clip at; 0 for never' },
	weightDecay: { kind: 'number', default: 0, min: 0, help: 'decay of weights' },
	adamBeta1: { kind: 'number', default: 0.9, min: 0, max: 1, open: 'max', help: "AdamW's decay of the mean gradient" },
	adamBeta2: { kind: 'number', default: 0.999, min: 0, max: 1, open: 'max', help: "AdamW's decay of the mean squared gradient" },
	adamEpsilon: { kind: 'number', default: 1e-8, min: 0, open: 'min', help: "AdamW's divisor guard" },
	compat: { kind: 'choice', default: '5', choices: ['5', '4.18'], help: 'the Transformers to follow where versions differ' },
	optim: { kind: 'choice', choices: ['adamw_torch', 'adamw_hf'], help: 'flavour of AdamW (default: adamw_torch, with compat 4.18 adamw_hf)' },
	lrSchedulerType: { kind: 'choice', default: 'linear', choices: scheduleNames, help: 'how the rate moves after warm-up' },
	lrSchedulerKwargs: { kind: 'kwargs', default: {}, help: 'numbers of the schedule: numCycles, power, lrEnd, timescale' },
	warmupSteps: { kind: 'integer', default: 0, min: 0, help: 'steps over which the rate rises from 0' },
	warmupRatio: { kind: 'number', default: 0, min: 0, max: 1, help: 'share of all steps spent warming up' },
	labelSmoothingFactor: { kind: 'number', default: 0, min: 0, max: 1, open: 'max', help: 'share of each label spread over all' },
	classWeights: { kind: 'weights', choices: ['balanced'], help: 'weight of each label in the training loss, or balanced (default: 1 each)' },
	focalGamma: { kind: 'number', default: 0, min: 0, help: 'let rows that are nearly right count less: focal loss; 0 for plain cross entropy' },
	sampling: {
		kind: 'weights',
		default: 'shuffle',
		choices: ['shuffle', 'balanced'],
		help: 'each row once an epoch, or drawn with replacement: all labels alike, or by a weight of each',
	},
	freeze: {
		kind: 'choiceOrInteger',
		default: 'none',
		min: 0,
		choices: ['none', 'embeddings', 'encoder'],
		help: 'what is not trained; a number for the embeddings and so many layers',
	},
	groupByLength: { kind: 'boolean', default: false, help: 'rows of like length share a batch' },
	seed: { kind: 'integer', default: 42, min: 0, max: MAX_SEED, help: 'seed of head, dropout and order of rows' },
	dataSeed: { kind: 'integer', min: 0, max: MAX_SEED, help: 'seed of the order of rows alone (default: the seed)' },
	dataloaderDropLast: { kind: 'boolean', default: false, help: 'leave out the short last batch of an epoch' },
	evalStrategy: { kind: 'choice', choices: ['epoch', 'steps', 'no'], help: 'when to measure (default: epoch, where rows to measure on are given)' },
	evalSteps: { kind: 'integer', min: 1, help: 'steps between two evaluations (default: the logging steps)' },
	loggingStrategy: { kind: 'choice', default: 'steps', choices: ['steps', 'epoch', 'no'], help: 'when the running loss is logged' },
	loggingFirstStep: { kind: 'boolean', default: false, help: 'log the first step too' },
	loggingSteps: { kind: 'integer', default: 500, min: 1, help: 'steps between two log entries' },
	saveStrategy: { kind: 'choice', default: 'epoch', choices: ['epoch', 'steps', 'best', 'no'], help: 'when a checkpoint is saved' },
	saveSteps: { kind: 'integer', default: 500, min: 1, help: 'steps between two checkpoints' },
	saveTotalLimit: { kind: 'integer', default: 2, min: 0, help: 'checkpoints that are kept, the best one in any case; 0 for all' },
	loadBestModelAtEnd: { kind: 'boolean', help: 'leave the model of the best evaluation, not of the last step (default: with early stopping)' },
	metricForBestModel: { kind: 'text', help: 'metric that says which is the best (default: loss)' },
	greaterIsBetter: { kind: 'boolean', help: 'more of that metric is better (default: unless it ends in loss)' },
	earlyStopping: { kind: 'stopping', help: 'end after this many evaluations in a row without a gain: 3, or patience=3,minDelta=0.001' },
	callbacks: { kind: 'callbacks', help: 'called with each event' },
	computeMetrics: { kind: 'function', help: 'gives metrics of your own' },
	onNonFinite: { kind: 'choice', default: 'stop', choices: ['stop', 'skip'], help: 'what a loss that is no number brings' },
	dtype: { kind: 'choice', default: 'auto', choices: dtypeChoices, help: 'what layers and attention multiply in; auto: bf16 where the CPU has it' },
	threads: { kind: 'integer', default: 0, min: 0, max: 1024, help: 'threads for arithmetic; 0 for one per physical core' },
};

/** Of every option that has one whatever the others are. */
export const optionDefaults: Readonly<Record<string, unknown>> = Object.fromEntries(
	Object.entries(optionTable).flatMap(([name, spec]) => (spec.default === undefined ? [] : [[name, spec.default]])),
);

/**
 * Checks every option and settles the defaults; throws one ConfigError (OPTIONS_INVALID, `details.problems`) with all faults.
 * `spell` turns an option's name into what the caller typed.
 */
export function resolveConfig(config: TrainerConfig, spell: (name: string) => string = (name) => name): ResolvedConfig {
	const given = Object.entries(config).filter(([, value]) => value !== undefined);
	const settled = { ...optionDefaults, ...Object.fromEntries(given) } as unknown as ResolvedConfig;
	const problems = given.flatMap(([name, value]) => {
		const spec = Object.hasOwn(optionTable, name) ? (optionTable as Record<string, OptionSpec>)[name] : undefined;
		const problem = spec === undefined ? unknownOption(name, spell) : faultOf(spec, value, spell(name));
		return problem === undefined ? [] : [problem];
	});
	if (config.train === undefined) problems.push(`Expected \`${spell('train')}\` to name the rows to learn from, got nothing`);
	problems.push(...scheduleProblems(settled, spell), ...kindProblems(settled, spell));
	if (config.maxSteps === 0) problems.push(`Expected \`${spell('maxSteps')}\` to be -1 or from 1 up, got 0`);
	const evalStrategy = config.evalStrategy ?? (config.eval === undefined ? 'no' : 'epoch');
	const evalSteps = settled.evalSteps ?? settled.loggingSteps;
	if (evalStrategy !== 'no' && config.eval === undefined) {
		problems.push(`Expected \`${spell('eval')}\` to name rows to measure on, because \`${spell('evalStrategy')}\` is ${evalStrategy}`);
	}
	const loadBestModelAtEnd = settled.loadBestModelAtEnd ?? settled.earlyStopping !== undefined;
	problems.push(...bestProblems({ ...settled, evalStrategy, evalSteps, loadBestModelAtEnd }, spell));
	const wantsBest = loadBestModelAtEnd || settled.saveStrategy === 'best' || settled.earlyStopping !== undefined;
	const metricForBestModel = settled.metricForBestModel ?? (wantsBest ? 'loss' : undefined);
	if (problems.length > 0) {
		throw new ConfigError('OPTIONS_INVALID', problems.join('; '), { details: { problems } });
	}
	return {
		...settled,
		eval: config.eval,
		maxLength: config.maxLength,
		evalStrategy,
		evalSteps,
		loadBestModelAtEnd,
		metricForBestModel,
		greaterIsBetter: settled.greaterIsBetter ?? metricForBestModel?.endsWith('loss') === false,
		earlyStopping: config.earlyStopping,
		callbacks: config.callbacks ?? [],
		optim: settled.optim ?? (settled.compat === '5' ? 'adamw_torch' : 'adamw_hf'),
		dataSeed: config.dataSeed,
		classWeights: config.classWeights,
		computeMetrics: config.computeMetrics,
		labels: config.labels?.map(String),
		labelSeparator: settled.problemType === 'multi_label_classification' ? (config.labelSeparator ?? defaultSeparator) : undefined,
	};
}

/** Options that have no meaning for the kind of problem. */
function kindProblems(settled: ResolvedConfig, spell: (name: string) => string): string[] {
	const { problemType, labelSmoothingFactor, classWeights, focalGamma, sampling, labels, labelSeparator } = settled;
	const single = problemType === 'single_label_classification';
	const meaningless = {
		labelSmoothingFactor: !single && labelSmoothingFactor !== 0,
		classWeights: !single && classWeights !== undefined,
		focalGamma: !single && focalGamma !== 0,
		sampling: !single && sampling !== 'shuffle',
		labels: problemType === 'regression' && labels !== undefined,
		labelSeparator: problemType !== 'multi_label_classification' && labelSeparator !== undefined,
	};
	const problems = Object.entries(meaningless).flatMap(([name, without]) =>
		without ? [`Expected no \`${spell(name)}\` where \`${spell('problemType')}\` is ${problemType}`] : [],
	);
	const besideFocal = { labelSmoothingFactor: labelSmoothingFactor !== 0, classWeights: classWeights !== undefined };
	const beside = Object.entries(besideFocal).filter(([, given]) => given && single && focalGamma !== 0);
	return [...problems, ...beside.map(([name]) => `Expected one of \`${spell('focalGamma')}\` and \`${spell(name)}\`, got both`)];
}

/** What a schedule refuses in Transformers too, where its options are right each for itself. */
function scheduleProblems(
	{ lrSchedulerType: name, lrSchedulerKwargs: kwargs, learningRate }: ResolvedConfig,
	spell: (name: string) => string,
): string[] {
	if (!scheduleNames.includes(name) || !isKwargs(kwargs)) return [];
	const problems: string[] = [];
	const stray = Object.keys(kwargs).filter((key) => !(kwargsOf[name] as readonly string[]).includes(key));
	if (stray.length > 0) {
		const wanted = kwargsOf[name].length === 0 ? 'empty' : `of ${kwargsOf[name].join(', ')}`;
		problems.push(`Expected \`${spell('lrSchedulerKwargs')}\` to be ${wanted} with ${name}, got ${stray.join(', ')}`);
	}
	const { lrEnd = defaultLrEnd } = kwargs;
	if (name === 'polynomial' && lrEnd >= learningRate) {
		problems.push(`Expected \`${spell('learningRate')}\` to be above ${lrEnd}, where polynomial ends, got ${show(learningRate)}`);
	}
	return problems;
}

type Keeping = Pick<ResolvedConfig, 'saveStrategy' | 'saveSteps' | 'evalStrategy' | 'evalSteps' | 'loadBestModelAtEnd' | 'earlyStopping'>;

/** Options that want a best evaluation, and cannot have one: Transformers refuses the same (training_args.py). */
function bestProblems(config: Keeping, spell: (name: string) => string): string[] {
	const { saveStrategy, saveSteps, evalStrategy, evalSteps, loadBestModelAtEnd, earlyStopping } = config;
	const wanting = [
		...(earlyStopping === undefined ? [] : [`\`${spell('earlyStopping')}\``]),
		...(loadBestModelAtEnd && earlyStopping === undefined ? [`\`${spell('loadBestModelAtEnd')}\``] : []),
		...(saveStrategy === 'best' ? [`\`${spell('saveStrategy')}\` best`] : []),
	];
	if (wanting.length === 0) return [];
	if (evalStrategy === 'no') return [`Expected \`${spell('eval')}\` to name rows to measure on, because ${wanting.join(' and ')} goes by a metric`];
	if (!loadBestModelAtEnd || saveStrategy === 'best') return [];
	const strategy = `\`${spell('saveStrategy')}\``;
	if (saveStrategy !== evalStrategy)
		return [`Expected ${strategy} to be best or ${evalStrategy}, because ${wanting[0]} needs a checkpoint of each evaluation, got ${saveStrategy}`];
	if (saveStrategy === 'steps' && saveSteps % evalSteps !== 0)
		return [
			`Expected \`${spell('saveSteps')}\` to be a multiple of \`${spell('evalSteps')}\`, ${evalSteps}, or ${strategy} to be best, got ${saveSteps}`,
		];
	return [];
}

/** Option names of a JSON file: snake_case and old names become ours; the remark, if one is due, says so once. */
export function fromConfigFile(values: Readonly<Record<string, unknown>>): { config: Record<string, unknown>; remark?: string } {
	const renamed: string[] = [];
	const config: Record<string, unknown> = {};
	for (const [name, value] of Object.entries(values)) {
		const camel = camelCase(name);
		const current = oldNames[camel] ?? camel;
		if (current !== name) renamed.push(`${name} as ${current}`);
		config[current] = current === 'lrSchedulerKwargs' ? camelKeys(value) : value;
	}
	return renamed.length === 0 ? { config } : { config, remark: `Read ${renamed.join(', ')}.` };
}

const oldNames: Readonly<Record<string, string>> = { evaluationStrategy: 'evalStrategy' };
const camelCase = (name: string): string => name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
const camelKeys = (value: unknown): unknown =>
	typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value).map(([key, each]) => [camelCase(key), each])) : value;

function unknownOption(name: string, spell: (name: string) => string): string {
	const nearest = nearestName(name, Object.keys(optionTable));
	return `There is no option \`${spell(name)}\`${nearest === undefined ? '' : `; did you mean \`${spell(nearest)}\`?`}`;
}

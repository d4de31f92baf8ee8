import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { addTrainingFlags, trainingConfig } from '../lib/cli/flags.js';
import { Dataset } from '../lib/dataset.js';
import { ConfigError } from '../lib/errors.js';
import { nearestName } from '../lib/option-check.js';
import { fromConfigFile, optionTable, resolveConfig, type TrainerConfig } from '../lib/options.js';
import { Trainer } from '../lib/trainer.js';

function problemsOf(config: Record<string, unknown>): readonly string[] {
	try {
		resolveConfig(config as unknown as TrainerConfig);
	} catch (error) {
		expect(error).toBeInstanceOf(ConfigError);
		expect(error).toMatchObject({ code: 'OPTIONS_INVALID' });
		return (error as ConfigError).details?.problems as string[];
	}
	return [];
}

const kwargs = 'numbers from 0 up (timescale: above 0) under the names numCycles, power, lrEnd, timescale';
const weights = "'balanced', or a number from 0 up for each label, not all of them 0";

describe('options', () => {
	it("have Transformers' defaults", () => {
		expect(resolveConfig({ train: 'a.csv' })).toEqual({
			train: 'a.csv',
			eval: undefined,
			model: 'distilbert-base-uncased',
			textColumn: 'text',
			labelColumn: 'label',
			labels: undefined,
			labelSeparator: undefined,
			problemType: 'single_label_classification',
			outputDir: 'trainer_output',
			maxLength: undefined,
			truncation: 'warn',
			learningRate: 5e-5,
			perDeviceTrainBatchSize: 8,
			perDeviceEvalBatchSize: 8,
			numTrainEpochs: 3,
			maxSteps: -1,
			gradientAccumulationSteps: 1,
			maxGradNorm: 1,
			weightDecay: 0,
			callbacks: [],
			...{ saveStrategy: 'epoch', saveSteps: 500, saveTotalLimit: 2, loadBestModelAtEnd: false },
			...{ metricForBestModel: undefined, greaterIsBetter: false, earlyStopping: undefined },
			adamBeta1: 0.9,
			adamBeta2: 0.999,
			adamEpsilon: 1e-8,
			compat: '5',
			optim: 'adamw_torch',
			lrSchedulerType: 'linear',
			lrSchedulerKwargs: {},
			warmupSteps: 0,
			warmupRatio: 0,
			labelSmoothingFactor: 0,
			classWeights: undefined,
			computeMetrics: undefined,
			focalGamma: 0,
			freeze: 'none',
			onNonFinite: 'stop',
			sampling: 'shuffle',
			groupByLength: false,
			seed: 42,
			dataSeed: undefined,
			dataloaderDropLast: false,
			evalStrategy: 'no',
			evalSteps: 500,
			loggingStrategy: 'steps',
			loggingFirstStep: false,
			loggingSteps: 500,
			dtype: 'auto',
			threads: 0,
		});
	});

	it('settle what hangs on others', () => {
		expect(resolveConfig({ train: 'a.csv', eval: { split: 0.1 }, loggingSteps: 20, labels: [0, 1] })).toMatchObject({
			...{ evalStrategy: 'epoch', evalSteps: 20, labels: ['0', '1'] },
		});
		expect(resolveConfig({ train: 'a.csv', compat: '4.18' })).toMatchObject({ compat: '4.18', optim: 'adamw_hf' });
		expect(resolveConfig({ train: 'a.csv', compat: '4.18', optim: 'adamw_torch' }).optim).toBe('adamw_torch');
		expect(resolveConfig({ train: 'a.csv', optim: 'adamw_hf' })).toMatchObject({ compat: '5', optim: 'adamw_hf' });
	});

	it.each([
		['learningRate', 0, 'a number above 0 and at most 1, got 0'],
		['learningRate', '5e-5', 'a number above 0 and at most 1, got "5e-5"'],
		['warmupRatio', 1.5, 'a number from 0 to 1, got 1.5'],
		['adamBeta1', 1, 'a number from 0 to below 1, got 1'],
		['adamEpsilon', 0, 'a number above 0, got 0'],
		['perDeviceTrainBatchSize', 0, 'a whole number from 1 up, got 0'],
		['perDeviceTrainBatchSize', 2.5, 'a whole number from 1 up, got 2.5'],
		['numTrainEpochs', Number.NaN, 'a number above 0, got NaN'],
		['maxGradNorm', Number.POSITIVE_INFINITY, 'a number from 0 up, got Infinity'],
		['maxSteps', 0, '-1 or from 1 up, got 0'],
		['maxSteps', -2, 'a whole number from -1 up, got -2'],
		['maxLength', 1, 'a whole number from 2 up, got 1'],
		['seed', 2 ** 32, 'a whole number from 0 to 4294967295, got 4294967296'],
		['truncation', 'loud', 'one of warn, silent, error, got "loud"'],
		[
			'lrSchedulerType',
			'cubic',
			'one of linear, cosine, cosine_with_restarts, polynomial, constant, constant_with_warmup, inverse_sqrt, got "cubic"',
		],
		['lrSchedulerType', 'toString', expect.stringContaining('got "toString"')],
		['lrSchedulerKwargs', { cycles: 1 }, `${kwargs}, got {"cycles":1}`],
		['lrSchedulerKwargs', { power: -1 }, `${kwargs}, got {"power":-1}`],
		['lrSchedulerKwargs', { timescale: 0 }, `${kwargs}, got {"timescale":0}`],
		['lrSchedulerKwargs', { power: '2' }, `${kwargs}, got {"power":"2"}`],
		['lrSchedulerKwargs', [2], `${kwargs}, got [2]`],
		['lrSchedulerKwargs', null, `${kwargs}, got null`],
		['compat', '4', 'one of 5, 4.18, got "4"'],
		['compat', 5, 'one of 5, 4.18, got 5'],
		['optim', 'sgd', 'one of adamw_torch, adamw_hf, got "sgd"'],
		['labelSmoothingFactor', 1, 'a number from 0 to below 1, got 1'],
		['labelSmoothingFactor', -0.1, 'a number from 0 to below 1, got -0.1'],
		['classWeights', 'even', `${weights}, got "even"`],
		['classWeights', [], `${weights}, got []`],
		['classWeights', [0, 0], `${weights}, got [0,0]`],
		['classWeights', [1, -1], `${weights}, got [1,-1]`],
		['classWeights', [1, '2'], `${weights}, got [1,"2"]`],
		['classWeights', { a: Number.POSITIVE_INFINITY }, `${weights}, got {"a":null}`],
		['classWeights', null, `${weights}, got null`],
		['problemType', 'ranking', 'one of single_label_classification, multi_label_classification, regression, got "ranking"'],
		['sampling', 'even', `'shuffle', ${weights}, got "even"`],
		['sampling', [0, 0], `'shuffle', ${weights}, got [0,0]`],
		['focalGamma', -1, 'a number from 0 up, got -1'],
		['freeze', 'head', 'none, embeddings, encoder or a whole number from 0 up, got "head"'],
		['freeze', -1, 'none, embeddings, encoder or a whole number from 0 up, got -1'],
		['freeze', 1.5, 'none, embeddings, encoder or a whole number from 0 up, got 1.5'],
		['computeMetrics', 'f1', 'a function, got "f1"'],
		['onNonFinite', 'ignore', 'one of stop, skip, got "ignore"'],
		['groupByLength', 1, 'true or false, got 1'],
		['loggingStrategy', 'never', 'one of steps, epoch, no, got "never"'],
		['loggingFirstStep', 'yes', 'true or false, got "yes"'],
		['dataloaderDropLast', 'yes', 'true or false, got "yes"'],
		['model', '', 'a text that is not empty, got ""'],
		['labels', ['a'], 'a list of at least two labels, each once, got ["a"]'],
		['labels', ['a', 'a'], 'a list of at least two labels, each once, got ["a","a"]'],
		['labels', [1, '1'], 'a list of at least two labels, each once, got [1,"1"]'],
		['train', 5, 'a file, a Dataset or rows, got 5'],
		['eval', { split: 1 }, 'a file, a Dataset, rows, or { split } with a share between 0 and 1, got {"split":1}'],
	])('refuse %s: %j', (name, value, expected) => {
		const sentence = typeof expected === 'string' ? `Expected \`${name}\` to be ${expected}` : expected;
		expect(problemsOf({ train: 'a.csv', [name]: value })).toEqual([sentence]);
	});

	it.each([
		[{ lrSchedulerKwargs: { power: 2 } }, 'Expected `lrSchedulerKwargs` to be empty with linear, got power'],
		[
			{ lrSchedulerType: 'polynomial', lrSchedulerKwargs: { numCycles: 2, power: 2, timescale: 1 } },
			'Expected `lrSchedulerKwargs` to be of power, lrEnd with polynomial, got numCycles, timescale',
		],
		[{ lrSchedulerType: 'polynomial', learningRate: 1e-7 }, 'Expected `learningRate` to be above 1e-7, where polynomial ends, got 1e-7'],
		[
			{ lrSchedulerType: 'polynomial', lrSchedulerKwargs: { lrEnd: 1e-4 } },
			'Expected `learningRate` to be above 0.0001, where polynomial ends, got 0.00005',
		],
	])('refuse a schedule what Transformers refuses it: %j', (config, sentence) => {
		expect(problemsOf({ train: 'a.csv', ...config })).toEqual([sentence]);
	});

	it.each([
		[{ problemType: 'regression', labels: ['a', 'b'] }, 'labels'],
		[{ problemType: 'regression', classWeights: 'balanced' }, 'classWeights'],
		[{ problemType: 'multi_label_classification', classWeights: [1, 2] }, 'classWeights'],
		[{ problemType: 'multi_label_classification', labelSmoothingFactor: 0.1 }, 'labelSmoothingFactor'],
		[{ problemType: 'regression', labelSeparator: ';' }, 'labelSeparator'],
		[{ problemType: 'regression', focalGamma: 2 }, 'focalGamma'],
		[{ problemType: 'multi_label_classification', sampling: 'balanced' }, 'sampling'],
	])('refuse what has no meaning for the kind of problem: %j', (config, name) => {
		expect(problemsOf({ train: 'a.csv', ...config })).toEqual([`Expected no \`${name}\` where \`problemType\` is ${config.problemType}`]);
	});

	it('refuse a focal loss beside what it does not go with', () => {
		expect(problemsOf({ train: 'a.csv', focalGamma: 2, labelSmoothingFactor: 0.1, classWeights: 'balanced' })).toEqual([
			'Expected one of `focalGamma` and `labelSmoothingFactor`, got both',
			'Expected one of `focalGamma` and `classWeights`, got both',
		]);
		expect(problemsOf({ train: 'a.csv', focalGamma: 0, labelSmoothingFactor: 0.1, classWeights: 'balanced' })).toEqual([]);
	});

	it('part several labels by a bar, unless told otherwise', () => {
		const config = { train: 'a.csv', problemType: 'multi_label_classification' } as const;
		expect(resolveConfig(config).labelSeparator).toBe('|');
		expect(resolveConfig({ ...config, labelSeparator: '; ', labels: ['a', 'b'] }).labelSeparator).toBe('; ');
		expect(problemsOf({ train: 'a.csv', labelSeparator: ';' })).toEqual([
			'Expected no `labelSeparator` where `problemType` is single_label_classification',
		]);
	});

	it.each([
		{ lrSchedulerType: 'cosine', lrSchedulerKwargs: { numCycles: 0.5 } },
		{ lrSchedulerType: 'cosine_with_restarts', lrSchedulerKwargs: { numCycles: 3 } },
		{ lrSchedulerType: 'polynomial', lrSchedulerKwargs: { power: 2, lrEnd: 0 } },
		{ lrSchedulerType: 'inverse_sqrt', lrSchedulerKwargs: { timescale: 100 } },
		{ lrSchedulerType: 'constant_with_warmup', warmupRatio: 0.1 },
		{ classWeights: 'balanced' },
		{ classWeights: [0, 1, 2.5] },
		{ classWeights: { calm: 2 } },
		{ labelSmoothingFactor: 0.1, loggingStrategy: 'no', loggingFirstStep: true, groupByLength: true, optim: 'adamw_hf', compat: '4.18' },
	])('take %j', (config) => {
		expect(problemsOf({ train: 'a.csv', ...config })).toEqual([]);
	});

	it('take the edges of their ranges, and data of every kind', () => {
		const rows = [{ text: 'a', label: 1 }];
		const edges = {
			learningRate: 1,
			warmupRatio: 1,
			adamBeta1: 0,
			maxGradNorm: 0,
			maxSteps: 1,
			maxLength: 2,
			seed: 2 ** 32 - 1,
			numTrainEpochs: 0.1,
		};
		for (const train of ['a.csv', new URL('file:///a.csv'), rows, rows.values(), Dataset.fromArray(rows)]) {
			expect(problemsOf({ ...edges, train, eval: train })).toEqual([]);
		}
	});

	it('say all that is wrong at once, with the nearest name for one misspelt', () => {
		expect(problemsOf({ learning_rate: 1, learnigRate: 1, warmupRatio: 2, evalStrategy: 'epoch', zzz: 0 })).toEqual([
			'There is no option `learning_rate`; did you mean `learningRate`?',
			'There is no option `learnigRate`; did you mean `learningRate`?',
			'Expected `warmupRatio` to be a number from 0 to 1, got 2',
			'There is no option `zzz`',
			'Expected `train` to name the rows to learn from, got nothing',
			'Expected `eval` to name rows to measure on, because `evalStrategy` is epoch',
		]);
	});

	it('are checked by the constructor, before anything is read or loaded', () => {
		expect(() => new Trainer({ train: 'none.csv', seed: -1 })).toThrow('Expected `seed` to be a whole number from 0 to 4294967295, got -1');
		expect(new Trainer({ train: 'none.csv' }).state).toEqual({ step: 0, epoch: 0, running: false });
	});

	it('do not take names of properties of every object for options', () => {
		expect(problemsOf({ train: 'a.csv', constructor: 1, toString: 2 })).toEqual([
			'There is no option `constructor`',
			'There is no option `toString`',
		]);
	});

	it('come from JSON under old and snake_case names, with one remark', () => {
		expect(fromConfigFile({ learning_rate: 1e-4, evaluation_strategy: 'no', adam_beta1: 0.8, seed: 1 })).toEqual({
			config: { learningRate: 1e-4, evalStrategy: 'no', adamBeta1: 0.8, seed: 1 },
			remark: 'Read learning_rate as learningRate, evaluation_strategy as evalStrategy, adam_beta1 as adamBeta1.',
		});
		expect(fromConfigFile({ seed: 1 })).toEqual({ config: { seed: 1 } });
		expect(fromConfigFile({ lr_scheduler_kwargs: { num_cycles: 2, lr_end: 0 }, class_weights: { so_so: 2 } })).toEqual({
			config: { lrSchedulerKwargs: { numCycles: 2, lrEnd: 0 }, classWeights: { so_so: 2 } },
			remark: 'Read lr_scheduler_kwargs as lrSchedulerKwargs, class_weights as classWeights.',
		});
	});

	it('find the nearest name only where it is near', () => {
		const names = Object.keys(optionTable);
		expect(nearestName('batchSize', names)).toBeUndefined();
		expect(nearestName('outputdir', names)).toBe('outputDir');
		expect(nearestName('perDeviceTrainBatchsize', names)).toBe('perDeviceTrainBatchSize');
	});
});

describe('flags', () => {
	const configOf = async (...words: string[]) => {
		const command = addTrainingFlags(new Command());
		command.parse(words, { from: 'user' });
		return (await trainingConfig(command.opts(), command.args)).config;
	};

	it.each([
		[['--class-weights', 'balanced'], { classWeights: 'balanced' }],
		[['--class-weights', '1,0.5'], { classWeights: [1, 0.5] }],
		[['--class-weights', 'calm=1,so so=2'], { classWeights: { calm: 1, 'so so': 2 } }],
		[['--class-weights', 'calm=much'], { classWeights: { calm: 'much' } }],
		[['--lr-scheduler-kwargs', 'numCycles=2,lrEnd=1e-6'], { lrSchedulerKwargs: { numCycles: 2, lrEnd: 1e-6 } }],
		[['--compat', '4.18', '--optim', 'adamw_torch'], { compat: '4.18', optim: 'adamw_torch' }],
		[['--freeze', 'encoder', '--sampling', 'balanced'], { freeze: 'encoder', sampling: 'balanced' }],
		[['--freeze', '2', '--sampling', 'calm=1,alarmed=4'], { freeze: 2, sampling: { calm: 1, alarmed: 4 } }],
		[['--focal-gamma', '2', '--on-non-finite', 'skip'], { focalGamma: 2, onNonFinite: 'skip' }],
		[['--group-by-length', '--logging-first-step'], { groupByLength: true, loggingFirstStep: true }],
		[['--early-stopping', '2', '--no-load-best-model-at-end'], { earlyStopping: { patience: 2 }, loadBestModelAtEnd: false }],
		[['--load-best-model-at-end', '--no-greater-is-better'], { loadBestModelAtEnd: true, greaterIsBetter: false }],
		[['--label-smoothing-factor', '0.1'], { labelSmoothingFactor: 0.1 }],
	])('%j', async (words, expected) => {
		expect(await configOf(...words)).toEqual(expected);
	});

	it('say what stands where nothing is given', () => {
		const help = addTrainingFlags(new Command()).helpInformation().replace(/\s+/g, ' ');
		expect(help).toContain('--compat <word> the Transformers to follow where versions differ (5, 4.18) (default: 5)');
		expect(help).toContain('--class-weights <label=x,...> weight of each label');
		expect(help).not.toContain('[object Object]');
		expect(help).not.toContain('compute-metrics');
	});
});

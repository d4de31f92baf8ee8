import { describe, expect, it } from 'vitest';
import { Dataset } from '../lib/dataset.js';
import { ConfigError } from '../lib/errors.js';
import { fromConfigFile, nearestName, optionTable, resolveConfig, type TrainerConfig } from '../lib/options.js';
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

describe('options', () => {
	it("have Transformers' defaults", () => {
		expect(resolveConfig({ train: 'a.csv' })).toEqual({
			train: 'a.csv',
			eval: undefined,
			model: 'distilbert-base-uncased',
			textColumn: 'text',
			labelColumn: 'label',
			labels: undefined,
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
			adamBeta1: 0.9,
			adamBeta2: 0.999,
			adamEpsilon: 1e-8,
			lrSchedulerType: 'linear',
			warmupSteps: 0,
			warmupRatio: 0,
			seed: 42,
			dataSeed: 42,
			dataloaderDropLast: false,
			evalStrategy: 'no',
			evalSteps: 500,
			loggingSteps: 500,
			threads: 0,
		});
	});

	it('settle what hangs on others', () => {
		expect(resolveConfig({ train: 'a.csv', eval: { split: 0.1 }, seed: 7, loggingSteps: 20, labels: [0, 1] })).toMatchObject({
			...{ evalStrategy: 'epoch', dataSeed: 7, evalSteps: 20, labels: ['0', '1'] },
		});
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
		['lrSchedulerType', 'cubic', 'one of linear, got "cubic"'],
		['dataloaderDropLast', 'yes', 'true or false, got "yes"'],
		['model', '', 'a text that is not empty, got ""'],
		['labels', ['a'], 'a list of at least two labels, each once, got ["a"]'],
		['labels', ['a', 'a'], 'a list of at least two labels, each once, got ["a","a"]'],
		['labels', [1, '1'], 'a list of at least two labels, each once, got [1,"1"]'],
		['train', 5, 'a file, a Dataset or rows, got 5'],
		['eval', { split: 1 }, 'a file, a Dataset, rows, or { split } with a share between 0 and 1, got {"split":1}'],
	])('refuse %s: %j', (name, value, expected) => {
		expect(problemsOf({ train: 'a.csv', [name]: value })).toEqual([`Expected \`${name}\` to be ${expected}`]);
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
	});

	it('find the nearest name only where it is near', () => {
		const names = Object.keys(optionTable);
		expect(nearestName('batchSize', names)).toBeUndefined();
		expect(nearestName('outputdir', names)).toBe('outputDir');
		expect(nearestName('perDeviceTrainBatchsize', names)).toBe('perDeviceTrainBatchSize');
	});
});

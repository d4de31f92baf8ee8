/** Data that is too little, or stands on both sides. */
import { checkCommand, word } from '../command.js';
import { wilson } from './statistics.js';
import { figure, percent, type Rule } from './view.js';

const rowsALabel = 50;
/** As in the check of data. */
const rowsOfOneLabel = 10;
/** Half-width of the interval of accuracy. */
const widest = 0.05;
/** Of the evaluation rows. */
const leakShare = 0.01;

export const tooFewRows: Rule = (run) => {
	const { rows, labels, problem } = run;
	const kinds = problem === 'regression' ? 1 : Math.max(1, labels.length);
	const rarest = rows.perLabel === undefined ? undefined : rows.perLabel.indexOf(Math.min(...rows.perLabel));
	const least = rarest === undefined ? undefined : (rows.perLabel?.[rarest] as number);
	const rare = least !== undefined && least < rowsOfOneLabel;
	if (rows.train >= rowsALabel * kinds && !rare) return undefined;
	const fewest = least === undefined ? '' : `, ${least} of ${JSON.stringify(labels[rarest as number])}`;
	return {
		code: 'TOO_FEW_ROWS',
		symptom: 'There are too few rows to learn from',
		evidence: `${rows.train} training rows for ${kinds === 1 ? 'a number a row' : `${kinds} labels`}${fewest}; under ${rowsALabel} a label, or ${rowsOfOneLabel} of one, the seed decides as much as the data`,
		cause: 'data that is still being collected, or a column of labels that splits it too finely',
		next: checkCommand({ train: run.config.train }),
	};
};

export const evaluationTooSmall: Rule = (run) => {
	const { lastEvaluation, settled, config } = run;
	if (!settled || lastEvaluation?.accuracy === undefined || lastEvaluation.rows === 0) return undefined;
	const { accuracy, rows } = lastEvaluation;
	const { low, high, half } = wilson(accuracy, rows);
	if (half <= widest) return undefined;
	return {
		code: 'EVALUATION_TOO_SMALL',
		symptom: 'The evaluation set is too small to tell one model from another',
		evidence: `an accuracy of ${percent(accuracy)} on ${rows} rows lies between ${percent(low)} and ${percent(high)} (95% interval)`,
		cause: `${rows} rows: a quarter of the width takes sixteen times as many`,
		next:
			typeof config.eval === 'object' && config.eval !== null
				? run.again({ eval: { split: Math.min(0.5, Number((2 * shareOf(config.eval)).toPrecision(2))) } })
				: `distiltune eval ${word(config.outputDir, 'DIR')} --data MORE-ROWS.csv`,
		step: lastEvaluation.step,
		epoch: lastEvaluation.epoch,
	};
};

const shareOf = (split: object): number => {
	const share = (split as { readonly split?: unknown }).split;
	return typeof share === 'number' ? share : 0.1;
};

export const evaluationLeak: Rule = (run) => {
	const { rows, lastEvaluation, config } = run;
	if (rows.eval === 0) return undefined;
	const share = rows.shared / rows.eval;
	// Until something is measured, the widest interval there may be.
	const { half } = wilson(lastEvaluation?.accuracy ?? 0.5, rows.eval);
	if (share < Math.max(leakShare, half)) return undefined;
	const together = typeof config.eval !== 'string';
	return {
		code: 'EVALUATION_LEAK',
		symptom: 'Rows of the evaluation set are among those trained on',
		evidence: `${rows.shared} of ${rows.eval} evaluation rows (${percent(share)}) stand in the training data too, token for token; chance moves the accuracy by ${figure(100 * half)} points`,
		cause: together
			? 'rows that stand in the data more than once, so that a split parts copies'
			: 'a split made before copies were removed, or of overlapping parts',
		next: checkCommand(config, '--fix', 'CLEAN.csv'),
	};
};

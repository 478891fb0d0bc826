import { expect, test, vi } from 'vitest';
import { EXPECT_TASK, executorTasks } from '../../src/executor/tasks.ts';
import { inlineWorkers } from '../../src/host/workers.ts';

test('who is to expect something large sees to it that there is somebody to fill its parts', () => {
  const fillers = inlineWorkers({});
  const warm = vi.spyOn(fillers, 'warm');
  executorTasks(() => fillers)[EXPECT_TASK]([]);
  expect(warm).toHaveBeenCalledOnce();
});
